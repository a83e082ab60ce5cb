// What is read of a session: once by the first paint, then by events, and afresh to compare.
import { gql } from '@apollo/client';
import { print } from 'graphql';

const MESSAGE = [
  'id parentId depth role status content thought hasThought position',
  'author { kind name avatarUrl persona { id } character { id } user { id } }',
  'alternatives { id count messageIds } revision',
  'revisions(first: 8) { nodes { revision content createdAt } }',
  'editedFrom { id } continuedFrom { id } hiddenFromPrompt bookmark createdAt editedAt deletedAt',
  `generation { id model attempt stage finishReason failure { code message retryable retryAt }
    usage { prompt cached output thought } cost { amount currency }
    timings { createdAt firstTextAt finishedAt } }`,
];

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
          nodes { id parentId role status createdAt }
          pageInfo { hasNextPage endCursor }
        }
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
  return { screen, tree, events, text: { screen: print(screen), tree: print(tree) } };
}

/** All `Type.field` of a server. */
export async function schemaOf(player) {
  const { __schema } = await player.ask('{ __schema { types { name fields { name } } } }');
  const pairs = __schema.types.flatMap((type) =>
    (type.fields ?? []).map((field) => `${type.name}.${field.name}`),
  );
  return new Set(pairs);
}
