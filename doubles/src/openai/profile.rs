//! How servers that call themselves compatible differ. A new server is a new row in `traits`.

use crate::tokens::Vocabulary;

/// A server that speaks the OpenAI wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A strict gateway: as in the documentation, and unknown fields are refused.
    Plain,
    /// Ollama.
    Ollama,
    /// `llama-server` of llama.cpp.
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

/// Where the role stands in the deltas of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// In a delta of its own before the text.
    First,
    /// In every delta.
    Every,
    /// Nowhere.
    Never,
}

/// Where thoughts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningField {
    /// In `reasoning`.
    Reasoning,
    /// In `reasoning_content`.
    ReasoningContent,
    /// In the text, inside `<think>`.
    Inline,
}

/// Where a stream tells its usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageForm {
    /// In a chunk with empty `choices` after the end, if asked for.
    Alone,
    /// On the chunk that ends the text, always.
    OnFinish,
    /// In a last chunk that has the reason of the end, which no other has, if asked for.
    WithFinish,
}

/// How a stream says that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// `data: [DONE]` and an empty line.
    Line,
    /// `data: [DONE]` without any newline.
    Bare,
    /// Not at all.
    Missing,
}

/// What becomes of a wish for JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The answer is JSON.
    Honour,
    /// The answer is prose, without a word about it.
    Ignore,
    /// 400.
    Refuse,
    /// The answer is JSON if the schema is any good, and prose if not.
    HonourIfGood,
}

/// What becomes of the forms of `response_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonRules {
    /// Of `json_object`.
    pub object: Rule,
    /// Of `json_schema`.
    pub schema: Rule,
    /// Of `json`, which only TabbyAPI knows.
    pub json: Rule,
}

/// Which orders of roles the template of the model can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// Any.
    Any,
    /// None with a system message.
    NoSystem,
    /// Only one system message, as the first.
    SystemFirst,
    /// User and assistant in turn, user first, after one system message at most.
    Alternating,
}

/// What a server does with a prompt longer than its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Forgets the beginning, without a word.
    Truncate,
    /// 400 in the words of llama.cpp.
    LlamaCpp,
    /// 400 in the words of vLLM.
    Vllm,
    /// 400 in the words of TabbyAPI.
    TabbyApi,
    /// 400 in the words of OpenAI.
    OpenAi,
}

/// How one server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// The model it has.
    pub model: &'static str,
    /// Tokens of prompt and answer together.
    pub context: usize,
    /// What happens beyond that.
    pub overflow: Overflow,
    /// Where the role stands.
    pub role: Role,
    /// Where thoughts are written.
    pub reasoning: ReasoningField,
    /// Where usage is told.
    pub usage: UsageForm,
    /// A line that comes before the first event.
    pub comment: Option<&'static str>,
    /// How a stream ends.
    pub done: Done,
    /// What becomes of a wish for JSON.
    pub json: JsonRules,
    /// Which roles it takes.
    pub template: Template,
    /// Unknown fields are refused.
    pub strict: bool,
    /// Tokens that a repeated beginning must have to be told in usage.
    pub cache_from: usize,
    /// How prompts are counted.
    pub vocabulary: Vocabulary,
}

const ALL: JsonRules = JsonRules { object: Rule::Honour, schema: Rule::Honour, json: Rule::Refuse };

const PLAIN: Traits = Traits {
    model: "story-large",
    context: 128_000,
    overflow: Overflow::OpenAi,
    role: Role::First,
    reasoning: ReasoningField::ReasoningContent,
    usage: UsageForm::Alone,
    comment: None,
    done: Done::Line,
    json: ALL,
    template: Template::Any,
    strict: true,
    cache_from: 1024,
    vocabulary: Vocabulary::O200k,
};

/// A server at home: lenient, and silent about what it remembers.
const LOCAL: Traits = Traits { strict: false, cache_from: usize::MAX, ..PLAIN };

const OLLAMA: Traits = Traits {
    model: "llama3.1:8b",
    context: 4096,
    overflow: Overflow::Truncate,
    role: Role::Every,
    reasoning: ReasoningField::Reasoning,
    json: JsonRules { json: Rule::Ignore, ..ALL },
    ..LOCAL
};

const LLAMA_CPP: Traits = Traits {
    model: "gpt-oss-20b-mxfp4.gguf",
    context: 8192,
    overflow: Overflow::LlamaCpp,
    usage: UsageForm::OnFinish,
    ..LOCAL
};

const VLLM: Traits = Traits {
    model: "Qwen/Qwen3-8B",
    context: 32_768,
    overflow: Overflow::Vllm,
    reasoning: ReasoningField::Reasoning,
    cache_from: 16,
    ..LOCAL
};

const LM_STUDIO: Traits = Traits {
    model: "qwen3-8b",
    context: 4096,
    json: JsonRules { object: Rule::Refuse, ..ALL },
    ..LOCAL
};

const OPEN_ROUTER: Traits = Traits {
    model: "mistralai/mistral-nemo",
    context: 131_072,
    role: Role::Every,
    reasoning: ReasoningField::Reasoning,
    comment: Some(": OPENROUTER PROCESSING\n\n"),
    cache_from: 1024,
    ..LOCAL
};

const KOBOLD_CPP: Traits = Traits {
    model: "koboldcpp/Mistral-Nemo-12B",
    context: 8192,
    overflow: Overflow::Truncate,
    role: Role::Every,
    reasoning: ReasoningField::Inline,
    done: Done::Bare,
    json: JsonRules { object: Rule::Honour, schema: Rule::HonourIfGood, json: Rule::Ignore },
    ..LOCAL
};

const TABBY_API: Traits = Traits {
    model: "Mistral-Nemo-12B-exl2",
    context: 16_384,
    overflow: Overflow::TabbyApi,
    role: Role::Never,
    usage: UsageForm::WithFinish,
    comment: Some(": ping - 2026-01-01 00:00:00+00:00\r\n\r\n"),
    json: JsonRules { object: Rule::Ignore, schema: Rule::Honour, json: Rule::Honour },
    ..LOCAL
};

impl Profile {
    /// How this server behaves if nobody changed its settings.
    pub fn traits(self) -> Traits {
        match self {
            Self::Plain => PLAIN,
            Self::Ollama => OLLAMA,
            Self::LlamaCpp => LLAMA_CPP,
            Self::Vllm => VLLM,
            Self::LmStudio => LM_STUDIO,
            Self::OpenRouter => OPEN_ROUTER,
            Self::KoboldCpp => KOBOLD_CPP,
            Self::TabbyApi => TABBY_API,
        }
    }
}
