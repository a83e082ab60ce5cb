//! Speech and thought in English.

use super::super::tongue::{ByIntent, Questions, Temper, Thoughts};

pub(super) const TEMPERS: &[Temper] = &[
    Temper {
        keys: "gruff wary cold stern distrust* suspic* guarded silent grim* stoic harsh dry \
               bitter secretive ruthless proud",
        tags: &[
            "[I say|{name} says] without raising the voice",
            "[I answer|{name} answers], a little too evenly",
            "[I say|{name} says], measuring out each word",
            "[I reply|{name} replies] after a pause that has been thought about",
        ],
        codas: &[
            "Stay where I can see you.",
            "One honest word at a time; that is all I ask.",
            "I have been wrong about people before, and I remember each of them by name.",
            "I keep count of favours, yours and mine.",
            "And whatever you do next, do it slowly.",
            "If this is a trick, it is a good one.",
            "I don't give second warnings; they make the first ones cheap.",
        ],
    },
    Temper {
        keys: "kind* warm* gentle* caring soft* tender* patient motherly healer shy loving loyal \
               calm wise quiet",
        tags: &[
            "[I say|{name} says] softly",
            "[I answer|{name} answers], warming to it",
            "[I say|{name} says], low enough to be meant for one listener",
            "[I reply|{name} replies] with unhurried kindness",
        ],
        codas: &[
            "Nobody here is counting the hours.",
            "Whatever it is, it weighs less when two carry it.",
            "Take your time; I have plenty, and I share.",
            "You look as if the day had been longer than the road.",
            "I am glad of the company, whatever brings it.",
            "There is no wrong thing to say next, only a late one.",
            "I have kept a little courage by; take some if you run short.",
        ],
    },
    Temper {
        keys: "playful* cheerful* witty funny mischie* teas* bold rogue thief bard* curious \
               energetic sly charm* flirt* sarcas* lively young",
        tags: &[
            "[I say|{name} says] with half a grin",
            "[I answer|{name} answers], visibly pleased",
            "[I say|{name} says], eyebrows up",
            "[I reply|{name} replies], in the tone of one laying down a card",
        ],
        codas: &[
            "Try to look less like trouble; it makes the place nervous.",
            "I have three plans, and two of them are even legal.",
            "Go on, surprise me; hardly anyone bothers.",
            "If anyone asks, we were discussing the weather.",
            "I would bet on it, but I already owe everyone I know.",
            "Don't look so serious, it only encourages fate.",
            "Whatever happens, I was never here, and neither was my hat.",
        ],
    },
];

pub(super) const LINES: ByIntent = ByIntent {
    greeting: &[
        "There you are. I was beginning to invent reasons for you to be late.",
        "Well met, {player}.",
        "Good, a voice. It was getting too quiet here.",
        "Hello yourself. You bring a little weather in with you, and I mean that kindly.",
        "{player}. I had a feeling it would be you.",
        "Come closer, {player}; it only looks dark from over there.",
        "So the evening sends me company after all.",
    ],
    farewell: &[
        "Go, then, {player}. The road keeps its own hours.",
        "I won't say goodbye; it is bad luck in any weather.",
        "Leave the way you came, and don't count the turnings.",
        "Until next time, {player}. There is always a next time; ask the road.",
        "So soon? Well. Things end when they end.",
    ],
    question: &[
        "I can answer that, but the answer has a door in it, and doors open both ways.",
        "Half of that I know. The other half knows me.",
        "That is a better question than you think, {player}.",
        "I'll tell you what I saw, and you can make of it what you like.",
        "You won't like the short answer, and there is no time for the long one.",
        "Ask me that again when we are alone, and you may get a different answer.",
        "Some of it is true. The worst part, mostly.",
        "Before I answer, {player}: who else have you asked?",
        "I have been waiting for somebody to ask me that. I just hoped it would be later.",
        "The honest answer? I don't know yet, and that worries me more than a bad one.",
    ],
    action: &[
        "Careful. Things here remember being touched.",
        "Well, that is one way of asking.",
        "I wondered how long it would take you.",
        "Bold. I like bold, when there is a plan behind it.",
        "Slower, and I might believe it was on purpose.",
        "So we have stopped talking. Good; talk was getting us nowhere.",
        "You move like someone who has already decided, {player}.",
        "I saw that, {player}, and I think you meant me to.",
    ],
    silence: &[
        "You don't have to say anything, {player}. Just don't go yet.",
        "Quiet is fine. I have known worse company than quiet.",
        "I'll talk, then, until one of us thinks of something better.",
        "Listening, are you? Good. Few people bother.",
        "There is something I have been meaning to tell you, {player}, and this is as good a silence as any.",
    ],
    statement: &[
        "You say that as if it cost you nothing.",
        "I believe you, {player}. It surprises me too.",
        "Then we are further along than I thought.",
        "That is not the story I was told, but I like yours better.",
        "Say it once more, and leave out the part that is meant to please me.",
        "Hm. That changes the shape of things.",
        "There are people who would pay to hear you say that, and people who would pay not to.",
        "All right, {player}. I'll carry that as far as I can.",
        "You have just made one thing simpler and three things harder.",
    ],
};

pub(super) const QUESTIONS: Questions = Questions {
    place: &[
        "Closer than you would like, and further than you can walk before dark.",
        "Where everybody looks last: right behind what they are afraid of.",
        "Past the place where the path forgets itself. I can show you; I can't explain it.",
        "Not where it was this morning, {player}, I can promise that much.",
    ],
    person: &[
        "Somebody who pays well for that question not to be asked.",
        "I know a name. I don't yet know whether it is the true one.",
        "Nobody you would notice twice, and that is how it was done.",
        "Ask three people, {player}, and you will get four names.",
    ],
    reason: &[
        "Because no one stopped it while it was still small.",
        "For the oldest reason there is: somebody made a promise.",
        "If I knew why, {player}, I would sleep better.",
        "Because it was easier than the truth. It usually is.",
    ],
};

pub(super) const THOUGHTS: Thoughts = Thoughts {
    echoed: &[
        "The player brings up “{echo}”; {name} should take it seriously and hold a little back.",
        "“{Echo}” is what matters in the last line; let {name} answer to that.",
    ],
    intents: ByIntent {
        greeting: &["The player says hello; {name} should make room without giving anything away."],
        farewell: &["The player is leaving; let {name} make the parting matter."],
        question: &["A question is on the table; {name} answers half of it."],
        action: &["The player acts rather than speaks; {name} has to notice and react."],
        silence: &["The player says nothing; {name} takes the first step."],
        statement: &["The player has said something that counts; let {name} weigh it."],
    },
    narrator: &[
        "No one speaks here; paint the place through the senses.",
        "The narrator's turn: no dialogue, only the scene.",
    ],
    closing: &[
        "One image, one spoken line, and the next move stays with the player.",
        "Keep it short, end on an open door.",
        "Leave the player's deeds to the player.",
    ],
    musings: &[
        "First the senses: what is heard and smelled before anything is said.",
        "The voice has to stay the same as before, so the manner of speaking comes from the description.",
        "If others are on stage, one of them may react, but without taking over.",
        "An instruction from the director belongs in the weather or in the mood rather than in the dialogue.",
        "The last sentence should open something instead of closing it.",
        "Nothing the player has not written may be put into the player's mouth or hands.",
    ],
};
