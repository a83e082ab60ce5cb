//! What the kinds of servers understand: data, never code. Pure.
//!
//! Strict gateways refuse a field they do not know and local servers ignore it
//! silently, so each is sent only what is listed here. A new kind of server is a
//! variant and its [`Traits`]; how it is recognised stands in `detect`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::llm::{Abilities, Sampler, Thinking};

/// What kind of server answers at an address that speaks OpenAI's wire format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// OpenAI itself, or a server of which nothing more is known.
    #[default]
    Generic,
    /// Ollama. It cuts long prompts silently: set `OLLAMA_CONTEXT_LENGTH` there.
    Ollama,
    /// The server of llama.cpp.
    LlamaCpp,
    /// vLLM.
    Vllm,
    /// LM Studio.
    LmStudio,
    /// OpenRouter.
    OpenRouter,
    /// KoboldCpp.
    KoboldCpp,
    /// TabbyAPI.
    TabbyApi,
}

/// What a kind of server understands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    /// The samplers it takes, and what it calls them.
    pub(super) samplers: &'static [(Sampler, &'static str)],
    /// What it calls the limit of output tokens.
    pub(super) length: &'static str,
    /// How it is told how much to think.
    pub(super) thinking: ThinkingField,
    /// How it is asked for JSON, the strictest form first.
    pub(super) json: &'static [JsonForm],
    /// How many stop texts it takes.
    pub(super) stops: usize,
    /// How it is asked to go on from the beginning of a reply.
    pub(super) prefill: Prefill,
    /// Whether it shortens embeddings when asked to.
    pub(super) dimensions: bool,
}

/// How a server is told how much to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThinkingField {
    /// It cannot be told.
    No,
    /// `reasoning_effort: "low"`.
    Effort,
    /// An object of this name: `{"enable_thinking": true}`.
    Template(&'static str),
    /// `reasoning: {"effort": "low", "exclude": false}`.
    Reasoning,
}

/// How a server is asked for JSON. What it says of itself is not always so: the
/// schema stands in the prompt in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonForm {
    /// `json_schema`, strict.
    Schema,
    /// `json_schema`, strict, only from those behind a router that honour it.
    RequiredSchema,
    /// Any object, by the type of this name.
    Object(&'static str),
    /// By the prompt alone.
    Prompt,
}

/// How a server is asked to go on from the beginning of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefill {
    /// It is not known to do so.
    No,
    /// It does, if the last turn is the model's.
    Plain,
    /// It does with `continue_final_message`.
    Flag,
}

const TEMPERATURE: (Sampler, &str) = (Sampler::Temperature, "temperature");
const TOP_P: (Sampler, &str) = (Sampler::TopP, "top_p");
const TOP_K: (Sampler, &str) = (Sampler::TopK, "top_k");
const MIN_P: (Sampler, &str) = (Sampler::MinP, "min_p");
const PRESENCE: (Sampler, &str) = (Sampler::PresencePenalty, "presence_penalty");
const FREQUENCY: (Sampler, &str) = (Sampler::FrequencyPenalty, "frequency_penalty");
const SEED: (Sampler, &str) = (Sampler::Seed, "seed");

const fn repetition(name: &'static str) -> (Sampler, &'static str) {
    (Sampler::RepetitionPenalty, name)
}

const STANDARD: &[(Sampler, &str)] = &[TEMPERATURE, TOP_P, PRESENCE, FREQUENCY, SEED];
const LADDER: &[JsonForm] = &[JsonForm::Schema, JsonForm::Object("json_object"), JsonForm::Prompt];
const MANY: usize = 32;

const GENERIC: Traits = Traits {
    samplers: STANDARD,
    length: "max_tokens",
    thinking: ThinkingField::No,
    json: LADDER,
    stops: 4,
    prefill: Prefill::No,
    dimensions: true,
};

const OLLAMA: Traits = Traits { thinking: ThinkingField::Effort, stops: MANY, ..GENERIC };

const LLAMA_CPP: Traits = Traits {
    samplers: &[
        TEMPERATURE,
        TOP_P,
        TOP_K,
        MIN_P,
        repetition("repeat_penalty"),
        PRESENCE,
        FREQUENCY,
        SEED,
    ],
    thinking: ThinkingField::Template("chat_template_kwargs"),
    stops: MANY,
    prefill: Prefill::Plain,
    dimensions: false,
    ..GENERIC
};

const VLLM: Traits = Traits {
    samplers: &[
        TEMPERATURE,
        TOP_P,
        TOP_K,
        MIN_P,
        repetition("repetition_penalty"),
        PRESENCE,
        FREQUENCY,
        SEED,
    ],
    length: "max_completion_tokens",
    thinking: ThinkingField::Template("chat_template_kwargs"),
    stops: MANY,
    prefill: Prefill::Flag,
    ..GENERIC
};

const LM_STUDIO: Traits = Traits {
    samplers: &[TEMPERATURE, TOP_P, TOP_K, repetition("repeat_penalty"), PRESENCE, FREQUENCY, SEED],
    json: &[JsonForm::Schema, JsonForm::Prompt],
    stops: MANY,
    dimensions: false,
    ..GENERIC
};

const OPEN_ROUTER: Traits = Traits {
    samplers: VLLM.samplers,
    thinking: ThinkingField::Reasoning,
    json: &[JsonForm::RequiredSchema, JsonForm::Object("json_object"), JsonForm::Prompt],
    ..GENERIC
};

const KOBOLD_CPP: Traits = Traits {
    samplers: &[TEMPERATURE, TOP_P, TOP_K, MIN_P, repetition("rep_pen"), PRESENCE, FREQUENCY, SEED],
    stops: MANY,
    prefill: Prefill::Plain,
    dimensions: false,
    ..GENERIC
};

const TABBY_API: Traits = Traits {
    samplers: VLLM.samplers,
    thinking: ThinkingField::Template("template_vars"),
    json: &[JsonForm::Schema, JsonForm::Object("json"), JsonForm::Prompt],
    stops: MANY,
    prefill: Prefill::Flag,
    dimensions: false,
    ..GENERIC
};

impl Profile {
    /// What is safe to believe of a model of such a server that nobody has described.
    pub fn abilities(self) -> Abilities {
        use Thinking::{High, Low, Medium, None};
        let traits = self.traits();
        let thinking: &[Thinking] = match traits.thinking {
            ThinkingField::No => &[],
            ThinkingField::Effort | ThinkingField::Reasoning => &[None, Low, Medium, High],
            // A switch; asked for a little, thinking is on.
            ThinkingField::Template(_) => &[None, Medium],
        };
        Abilities {
            context_tokens: if self == Self::Ollama { 4096 } else { 8192 },
            thinking: thinking.iter().copied().collect(),
            samplers: traits.samplers.iter().map(|(sampler, _)| *sampler).collect::<BTreeSet<_>>(),
            prefill: traits.prefill != Prefill::No,
            ..Abilities::default()
        }
    }

    pub(super) fn traits(self) -> &'static Traits {
        match self {
            Self::Generic => &GENERIC,
            Self::Ollama => &OLLAMA,
            Self::LlamaCpp => &LLAMA_CPP,
            Self::Vllm => &VLLM,
            Self::LmStudio => &LM_STUDIO,
            Self::OpenRouter => &OPEN_ROUTER,
            Self::KoboldCpp => &KOBOLD_CPP,
            Self::TabbyApi => &TABBY_API,
        }
    }
}
