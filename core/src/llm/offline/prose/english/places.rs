//! Places and moods in English.

use super::super::tongue::{Mood, Place};

pub(super) const PLACES: &[Place] = &[
    Place {
        keys: "night midnight moon* star stars dark darkness",
        sights: &[
            "The stars are out in their thousands, sharp as salt on black cloth.",
            "An owl asks its one question and gets no answer.",
            "Moonlight lies on the ground like spilled milk, and nothing steps in it.",
            "Far off a dog barks twice, thinks better of it, and is quiet.",
            "The dark has a smell tonight: cold stone, snuffed candles, dew.",
            "Shadows have run together until only the edges of things remain.",
            "A single window burns in the distance, no bigger than a seed.",
        ],
    },
    Place {
        keys: "rain* storm* thunder* drizzle downpour umbrella",
        sights: &[
            "Rain drums overhead with the patience of someone who means to stay.",
            "Water runs down in silver threads and braids itself at the edge.",
            "The gutters mutter to themselves, full to the brim.",
            "Everything smells of wet earth, iron and leaves.",
            "A drop finds its way in, falls, and is followed at once by its brother.",
            "Thunder moves about behind the hills like furniture in an upstairs room.",
            "The puddles shiver, each with its own piece of grey sky.",
        ],
    },
    Place {
        keys: "hearth fireplace fireside kitchen cottage library kettle tea",
        sights: &[
            "A log settles in the grate and sends up a handful of sparks.",
            "The kettle ticks as it warms, and the room smells of thyme and woodsmoke.",
            "Firelight goes over the spines of old books, reading them one at a time.",
            "A cat unrolls by the fire, considers everyone, and rolls up again.",
            "Dust turns gold where the lamplight passes through it.",
            "The clock on the shelf has a soft, wooden, unhurried voice.",
            "Warmth has settled into the corners and shows no wish to leave.",
        ],
    },
    Place {
        keys: "tavern* inn innkeeper alehouse pub bar ale barkeep*",
        sights: &[
            "Smoke hangs under the beams, and somebody's stew has been simmering since noon.",
            "Mugs knock on wood; a fiddle loses its tune and finds it again.",
            "Ale has soaked so deep into the boards that they shine like chestnut.",
            "A draught slips under the door and sets every candle leaning the same way.",
            "At the far table dice rattle, stop, and are followed by a groan.",
            "Firelight climbs the copper pans and slides down again.",
            "Wet cloaks steam on their pegs, smelling of wool and long roads.",
        ],
    },
    Place {
        keys: "forest* wood woods tree trees grove pine* glade ranger",
        sights: &[
            "Pine resin thickens the air, sweet and a little bitter.",
            "Light comes down through the leaves in coins, and the moss keeps every one of them.",
            "A woodpecker knocks, waits, and knocks again, like a polite creditor.",
            "Ferns nod, although there is no wind down here.",
            "The trunks stand close, like people who have just stopped talking.",
            "A twig snaps off to the left; after it comes a silence with ears.",
            "Mist drags its hem between the roots.",
        ],
    },
    Place {
        keys: "sea seas ocean* ship* sail* harbour* harbor* lighthouse* beach* shore* wave* \
               boat* tide* captain",
        sights: &[
            "The tide breathes in and out over the shingle, counting something.",
            "Salt has dried on every surface in a fine white frost.",
            "Gulls quarrel overhead, then wheel off all together.",
            "Ropes creak, timber answers, and far out a buoy bell tolls once.",
            "The horizon is a line drawn in pewter, and nothing crosses it.",
            "Spray comes over the edge and leaves a taste of iron and weed.",
            "Each wave carries up a little light and takes it back.",
        ],
    },
    Place {
        keys: "city* street* town* market* alley* square bridge rooftop*",
        sights: &[
            "Wheels grind over the cobbles, and a hawker sings the price of plums.",
            "Chimneys lean together above the street, trading smoke.",
            "A tower clock strikes, and another, a little late, corrects it.",
            "The smell of hot bread turns the corner a moment before the baker's boy does.",
            "Laundry snaps on the lines overhead like a row of small flags.",
            "Lamps come on one by one along the street, each with its ring of gold.",
            "Footsteps pass beneath an arch, double themselves, and are gone.",
        ],
    },
];

pub(super) const MOODS: &[Mood] = &[
    Mood {
        keys: "rain* storm* thunder* wet",
        sentences: &[
            "And then the weather breaks: the first drops come down, heavy as thrown gravel.",
            "The sky, which has been holding its breath, lets go, and it begins to rain in earnest.",
        ],
    },
    Mood {
        keys: "snow* cold* frost* winter* ice freez*",
        sentences: &[
            "The cold comes in without knocking, and every breath turns white.",
            "Something pale drifts down, and more after it: snow, unhurried, in no need of leave.",
        ],
    },
    Mood {
        keys: "tens* danger* threat* fear* afraid scar* dark* omin* suspic*",
        sentences: &[
            "The ease goes out of the air all at once, as if a door had been opened on a cellar.",
            "Something tightens, quietly, the way a rope does when weight comes on it.",
        ],
    },
    Mood {
        keys: "sad* grief griev* melanchol* lonel* cry* tear tears",
        sentences: &[
            "A sadness nobody has invited sits down in the middle of it all.",
            "The colours seem to dim by a shade, as they do when an old song is remembered.",
        ],
    },
    Mood {
        keys: "funny fun jok* laugh* merry cheer* light-hearted humor* humour*",
        sentences: &[
            "And suddenly it is all a little ridiculous, and the better for it.",
            "A laugh is loose in the air now, looking for someone to belong to.",
        ],
    },
    Mood {
        keys: "romanc* romantic* tender* gentl* soft* warm* love* kiss*",
        sentences: &[
            "The air grows soft at the edges, and every small sound seems meant for two.",
            "A warmth comes into the moment that has nothing to do with any fire.",
        ],
    },
];
