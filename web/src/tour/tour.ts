// The tour: one tab of GraphiQL per step, in the order in which a newcomer takes them.
// Documents and the first values of their variables stand here; `ids.ts` says which values the page fills in later.

export interface TourStep {
  /** Name of the operation. GraphiQL shows it as the title of the tab, and the page recognises the tab by it. */
  name: string;
  query: string;
  variables: Record<string, unknown>;
}

/** What the page puts in the place of an id until an earlier step has told it. */
const fromStep = (step: string) => `(the page fills this in after ${step})`;

/**
 * An id for one act of the user. The server does an act with the same id only once, however often it is sent.
 * (`crypto.randomUUID` would need HTTPS, and Skald also runs on plain HTTP in a home network.)
 */
export function freshRequestId(): string {
  return `page-${randomText(20)}`;
}

function randomText(length: number): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join('');
}

export function makeTour(): TourStep[] {
  const username = `freya_${randomText(5)}`;
  const password = `tour-${randomText(5)}-${randomText(5)}-${randomText(5)}`;

  return [
    {
      name: 'Register',
      query: `# Welcome to Skald! This tour plays one short scene, a step per tab. Press the button with the triangle (or Ctrl-Enter) to run a step, then go on to the next tab above.
#
# Step 1: make an account.
#
# The variables below already hold a made-up name and password, so you can simply run this. The page sees the tokens in the answer, signs you in and keeps you signed in: look at the bar above.
#
# (For an account you mean to keep, use "Sign in" in the bar instead: tabs are remembered by your browser, and so is a password in them.)

mutation Register($input: RegisterInput!) {
  register(input: $input) {
    user { id username displayName }
    accessToken
    accessTokenExpiresAt
    refreshToken
    errors { code message path }
  }
}
`,
      variables: {
        input: { username, email: `${username}@example.com`, password, displayName: 'Freya' },
      },
    },
    {
      name: 'SignIn',
      query: `# Step 2: sign in.
#
# You already are, since step 1. This is what you do the next time. "login" is a username or an e-mail address.
#
# Mutations answer expected mistakes (a wrong password, a name that is taken) under "errors", next to the data. Try it with a wrong password.

mutation SignIn($input: LoginInput!) {
  login(input: $input) {
    user { id username displayName }
    accessToken
    accessTokenExpiresAt
    refreshToken
    errors { code message path retryAfterMs }
  }
}
`,
      variables: { input: { login: username, password } },
    },
    {
      name: 'CreatePersona',
      query: `# Step 3: create a persona, who you are in the story.
#
# "clientRequestId" names this one act. If the answer gets lost and you send the same again, you do not get two personas. The page puts in a new id after each success, so running it again is a new act.

mutation CreatePersona($input: CreatePersonaInput!) {
  createPersona(input: $input) {
    persona { id name }
    errors { code message path }
  }
}
`,
      variables: {
        input: {
          name: 'Freya',
          description: 'A mapmaker who left the harbour town to draw the coast nobody has drawn.',
          appearance: 'Ink on her fingers, a coat with too many pockets.',
          personality: 'Curious, dry, stubborn about details.',
          clientRequestId: freshRequestId(),
        },
      },
    },
    {
      name: 'CreateCharacter',
      query: `# Step 4: create a character, whom you will meet.
#
# The greeting is the first message of each new session.
#
# Three examples stand in the catalogue already. To see them, run this in a tab of its own:   { characters { nodes { id name } } }

mutation CreateCharacter($input: CreateCharacterInput!) {
  createCharacter(input: $input) {
    character { id name }
    errors { code message path }
  }
}
`,
      variables: {
        input: {
          name: 'Halvard',
          description:
            'The keeper of a lighthouse that is on no chart. Speaks little, remembers every ship, and is glad of company without saying so.',
          greeting:
            'The door opens before you knock. "You walked the cliff path in the dark," the keeper says, and holds the lamp a little higher. "Nobody does that by mistake."',
          clientRequestId: freshRequestId(),
        },
      },
    },
    {
      name: 'StartSession',
      query: `# Step 5: start a session, which is one story.
#
# The page has filled in the ids of your persona and your character. "head" is the last message on the path you are reading: here, the character's greeting.

mutation StartSession($input: CreateSessionInput!) {
  createSession(input: $input) {
    session { id head { id content } }
    errors { code message path }
  }
}
`,
      variables: {
        input: {
          personaId: fromStep('CreatePersona'),
          characterIds: [fromStep('CreateCharacter')],
          language: 'en',
          relationship: 'Strangers who need each other until the storm is over.',
          clientRequestId: freshRequestId(),
        },
      },
    },
    {
      name: 'SendMessage',
      query: `# Step 6: say something.
#
# The answer comes at once and holds two messages: yours, and an empty one for the reply. The server writes the reply by itself, whether anybody watches or not.
#
# "parentId" says which message you answer: a story is a tree. The page fills in the last one, so wait until a reply is finished, then send on.

mutation SendMessage($input: SendMessageInput!) {
  sendMessage(input: $input) {
    session { id }
    message { id }
    reply { id status }
    errors { code message path }
  }
}
`,
      variables: {
        input: {
          sessionId: fromStep('StartSession'),
          parentId: fromStep('StartSession'),
          content:
            'I shake the rain from my coat. "I am drawing the coast. Your light is on none of my charts. Tell me how long it has stood here."',
          clientRequestId: freshRequestId(),
        },
      },
    },
    {
      name: 'WatchReply',
      query: `# Step 7: watch the reply being written. Run it right after step 6.
#
# A subscription sends events until the reply ends. GraphiQL shows the newest one on the right; the panel above puts the text together.
#
# You cannot be late: it first replays what is written so far. Reload the page in the middle and run this again: nothing is lost.

subscription WatchReply($messageId: ID!) {
  reply(messageId: $messageId, channels: [CONTENT, THOUGHT]) {
    __typename
    messageId
    attempt
    ... on ReplyStageChanged { stage }
    ... on ReplyDelta { channel offset text }
    ... on ReplyReset { content thought }
    ... on ReplyFinished { message { id status content thought } }
    ... on ReplyFailed { message { id generation { failure { code message } } } }
  }
}
`,
      variables: { messageId: fromStep('SendMessage') },
    },
    {
      name: 'SwipeReply',
      query: `# Step 8: swipe, that is, have the reply written once more.
#
# The first reply stays: the new one becomes its sibling in the tree, and the story goes on from the new one. Go back to WatchReply to see it grow (the page has already put the new id there).

mutation SwipeReply($input: RegenerateReplyInput!) {
  regenerateReply(input: $input) {
    session { id }
    reply { id status }
    errors { code message path }
  }
}
`,
      variables: {
        input: { messageId: fromStep('SendMessage'), clientRequestId: freshRequestId() },
      },
    },
    {
      name: 'SeeAlternatives',
      query: `# Step 9: see the alternatives of the last reply, all of them.
#
# "position" says which of them this one is, counted from 0.

query SeeAlternatives($messageId: ID!) {
  message(id: $messageId) {
    id
    position
    alternatives {
      count
      messageIds
      messages { nodes { id status content } }
    }
  }
}
`,
      variables: { messageId: fromStep('SendMessage') },
    },
    {
      name: 'SelectMessage',
      query: `# Step 10: choose the other reply.
#
# Everything in a story follows from the path you are on: what happened on the other branch has not happened here. Run it again to switch back.

mutation SelectMessage($input: SelectMessageInput!) {
  selectMessage(input: $input) {
    session { id head { id content } }
    errors { code message path }
  }
}
`,
      variables: { input: { messageId: fromStep('SwipeReply') } },
    },
    {
      name: 'ReadPath',
      query: `# Step 11: read the story as it stands, from the first message to the head. This takes the last 20; for more, page with "before".

query ReadPath($sessionId: ID!) {
  session(id: $sessionId) {
    id
    path(last: 20) {
      nodes {
        id
        role
        author { name }
        content
        position
        alternatives { count messageIds }
      }
    }
  }
}
`,
      variables: { sessionId: fromStep('StartSession') },
    },
    {
      name: 'StopReply',
      query: `# Step 12: stop a reply that is being written.
#
# Run SendMessage (or SwipeReply) again, then come here and be quick. What is written so far is kept. If the reply has already ended, it simply stays as it is.
#
# That was the tour. The book icon at the left explains every type and field of the graph; "Start over" in the bar brings this tour back.

mutation StopReply($input: StopReplyInput!) {
  stopReply(input: $input) {
    reply { id status content }
    errors { code message path }
  }
}
`,
      variables: { input: { messageId: fromStep('SendMessage') } },
    },
  ];
}
