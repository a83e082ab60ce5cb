// What is read of a session: once by the first paint, then by events, and afresh to compare.
import { gql } from '@apollo/client';
import { print } from 'graphql';

const MESSAGE = [
  'id parentId depth role status content thought hasThought position',
  'author { kind name avatarUrl persona { id } character { id } user { id } }',
  'alternatives { id count messageIds } revision',
  'revisions(first: 8) { nodes { revision content createdAt } }',
  'editedFrom { id } continuedFrom { id } hiddenFromPrompt bookmark createdAt editedAt deletedAt',
  'returnsTo { id }',
  `generation { id model attempt stage finishReason failure { code message retryable retryAt }
    usage { prompt cached output thought } cost { amount currency }
    timings { createdAt firstTextAt finishedAt } }`,
];

const SHELF_FIELDS = gql`
  fragment ShelfFields on Session {
    id title tags version createdAt lastActivityAt archivedAt deletedAt head { id }
  }
`;
/** What stands on the shelf: the lists of sessions that a player looks at. */
const SHELF = gql`
  query Shelf {
    active: sessions(first: 100) { totalCount nodes { ...ShelfFields } }
    archived: sessions(first: 100, filter: { archived: true }) {
      totalCount nodes { ...ShelfFields }
    }
    ofTheSea: sessions(first: 100, filter: { tags: ["SEA"] }, orderBy: { field: CREATED }) {
      totalCount nodes { ...ShelfFields }
    }
  }
  ${SHELF_FIELDS}
`;
const LIBRARY = gql`
  subscription Library($after: String) {
    libraryEvents(after: $after) {
      __typename cursor
      ... on LibraryNodeAdded { node { id ... on Session { ...ShelfFields } } }
      ... on LibraryNodeChanged { node { id ... on Session { ...ShelfFields } } }
      ... on LibraryNodeRemoved { id }
    }
  }
  ${SHELF_FIELDS}
`;

/** The documents of a screen, as Apollo Client and as plain HTTP take them. */
export function documents() {
  const fragments = `
    fragment MessageFields on Message { ${MESSAGE.join(' ')} }
    fragment Moving on Session {
      id sequence lastActivityAt runningReplies { id }
      usage { calls unpricedCalls tokens { prompt cached output thought } cost { amount currency } }
    }
    fragment SessionFields on Session {
      ...Moving title mode language narrativeVoice relationship version createdAt archivedAt deletedAt tags
      persona { id name } cast { name avatarUrl character { id } }
      settings { storyModelId supervisorModelId fallbackModelId
        style { length tense atmosphere instruction } }
    }`;
  const screen = gql`
    query Screen($id: ID!, $last: Int!) {
      session(id: $id) {
        ...SessionFields
        head { id }
        path(last: $last) { nodes { ...MessageFields } pageInfo { hasPreviousPage } }
      }
    }
    ${fragments}
  `;
  const tree = gql`
    query Tree($id: ID!, $after: String) {
      session(id: $id) {
        id
        messages(first: 100, after: $after) {
          nodes { id parentId role status createdAt returnsTo { id } }
          pageInfo { hasNextPage endCursor }
        }
        outline { nodes { messageId parentId role status excerpt } }
      }
    }
  `;
  const events = gql`
    subscription Events($id: ID!, $after: Int, $channels: [ReplyChannel!]) {
      sessionEvents(sessionId: $id, after: $after, channels: $channels) {
        __typename sequence at
        ... on MessagesAdded { messages { ...MessageFields } clientRequestId session { ...Moving } }
        ... on MessageUpdated { message { ...MessageFields } session { ...Moving } }
        ... on MessagesDeleted { root { ...MessageFields } session { ...Moving } }
        ... on MessagesRestored { messages { ...MessageFields } session { ...Moving } }
        ... on HeadMoved {
          head { ...MessageFields } fork { ...MessageFields } branch { ...MessageFields }
          session { ...Moving }
        }
        ... on ReplyDelta { messageId attempt channel offset text }
        ... on ReplyStageChanged { messageId attempt stage
          failure { code message retryable retryAt } }
        ... on ReplyReset { messageId attempt content thought }
        ... on ReplyFinished { messageId message { ...MessageFields } session { ...Moving } }
        ... on ReplyFailed { messageId message { ...MessageFields } session { ...Moving } }
        ... on SessionUpdated { session { ...SessionFields } }
        ... on SessionDeleted { session { ...SessionFields } }
      }
    }
    ${fragments}
  `;
  const text = { screen: print(screen), tree: print(tree), shelf: print(SHELF) };
  return { screen, tree, events, shelf: SHELF, library: LIBRARY, text };
}

/** All `Type.field` of a server. */
export async function schemaOf(player) {
  const { __schema } = await player.ask('{ __schema { types { name fields { name } } } }');
  const pairs = __schema.types.flatMap((type) =>
    (type.fields ?? []).map((field) => `${type.name}.${field.name}`),
  );
  return new Set(pairs);
}
