//! How much of what was said comes to mind again, and how fast.
//!
//! A file holds conversations with questions, and for each question the turns that answer it. Each
//! conversation is imported into the real program as a story, and asked there with `recallPreview`. Recall at k is the part of a question's evidence among the
//! first k turns that come to mind; the overall numbers are means over all questions but the
//! adversarial ones, which are reckoned apart. Beside it, the same is measured for what anybody
//! would try first.

mod baseline;
mod data;
mod dense;
mod embedder;
mod measure;
mod product;

use std::{ffi::OsString, hint::black_box, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use skald_base::Dialect;
use skald_core::recall::Index;

use self::{
    data::Conversation,
    dense::{Cloud, Way},
    measure::{Answer, Figures, Ranker},
};
use crate::report::{Times, rounded, say};

/// How it is run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The conversations: JSON in the form that `docs/benchmarks.md` describes.
    #[arg(long)]
    data: PathBuf,
    /// The database on which the program keeps the conversations.
    #[arg(long, value_enum, default_value = "sqlite")]
    database: Database,
    /// Also takes the time in one scope of so many turns: those of the file, again and again.
    #[arg(long, value_name = "TURNS")]
    scope: Option<usize>,
    /// Also ranks with an embedder: an address that ends in `/v1`, as OpenAI's.
    #[arg(long, value_name = "URL", requires = "model")]
    embedder: Option<String>,
    /// Its model.
    #[arg(long)]
    model: Option<String>,
    /// With `--scope`: also the time with a vector of so many random numbers for each turn.
    #[arg(long, value_name = "NUMBERS", requires = "scope")]
    dimensions: Option<usize>,
    /// Prints the result as one JSON object, as the last line.
    #[arg(long)]
    json: bool,
    /// The cargo that builds the server.
    #[arg(long, env = "CARGO", default_value = "cargo", hide_env_values = true)]
    cargo: OsString,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    fn dialect(self) -> Dialect {
        match self {
            Self::Sqlite => Dialect::Sqlite,
            Self::Postgres => Dialect::Postgres,
        }
    }
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let text = std::fs::read_to_string(&options.data)
        .with_context(|| format!("cannot read {}", options.data.display()))?;
    let conversations = data::read(&text)?;
    let mut result = Map::new();
    let vectors = match options.embedder.as_deref().zip(options.model.as_deref()) {
        Some(embedder) => Some(dense::embed(&conversations, embedder).await?),
        None => None,
    };
    let (recall, times) = if let Some(vectors) = &vectors {
        dense::run(&conversations, vectors, Way::Recall)
    } else {
        let dialect = options.database.dialect();
        let asked = product::run(&conversations, &options.cargo, dialect).await?;
        asked.context("PostgreSQL is not installed")?
    };
    ensure!(!recall.is_empty(), "no question of the file has evidence");
    say(&format!("{:<32}{:>9}{HEAD}", "", "questions"));
    let mut by_category = Map::new();
    for category in data::categories(&conversations) {
        let figures = Figures::of(recall.iter().filter(|answer| answer.category == category));
        say(&row(&category, &figures));
        by_category.insert(category, Value::Object(figures.json()));
    }
    let whole = Whole::of(&recall);
    say(&whole.row("all but adversarial"));
    let mut baselines = Map::new();
    let mut stand_beside = |name: &str, key: &str, answers: &[Answer]| {
        let whole = Whole::of(answers);
        say(&whole.row(name));
        baselines.insert(key.into(), Value::Object(whole.json()));
    };
    for ranker in [Ranker::Recall, Ranker::Words, Ranker::WordsAndSpeaker] {
        stand_beside(ranker.name(), ranker.key(), &measure::run(&conversations, ranker).0);
    }
    if let Some(vectors) = &vectors {
        for way in Way::BASELINES {
            stand_beside(way.name(), way.key(), &dense::run(&conversations, vectors, way).0);
        }
    }
    result.append(&mut whole.json());
    result.append(&mut latency(&times));
    result.insert("by_category".into(), Value::Object(by_category));
    result.insert("baselines".into(), Value::Object(baselines));
    if let Some(turns) = options.scope {
        result.insert("scope".into(), scope(&conversations, turns, options.dimensions));
    }
    if options.json {
        say(&Value::Object(result).to_string());
    }
    Ok(())
}

const HEAD: &str = "    R@1    R@5   R@10   R@20    MRR  adversarial R@10";

/// All questions: the adversarial ones apart.
struct Whole {
    usual: Figures,
    adversarial: Figures,
}

impl Whole {
    fn of(answers: &[Answer]) -> Self {
        let apart = |adversarial| {
            Figures::of(answers.iter().filter(|one| (one.category == ADVERSARIAL) == adversarial))
        };
        Self { usual: apart(false), adversarial: apart(true) }
    }

    fn row(&self, name: &str) -> String {
        let adversarial = self.adversarial.recall_at(10) * 100.0;
        format!("{}{adversarial:>18.1}", row(name, &self.usual))
    }

    fn json(&self) -> Map<String, Value> {
        let mut json = self.usual.json();
        let adversarial = measure::fraction(self.adversarial.recall_at(10));
        json.insert("adversarial_recall_at_10".into(), adversarial);
        json
    }
}

/// Its evidence is about somebody else: such a question tempts to recall the wrong turns.
const ADVERSARIAL: &str = "adversarial";

fn row(name: &str, figures: &Figures) -> String {
    let recall = measure::DEPTHS.map(|depth| format!("{:>7.1}", figures.recall_at(depth) * 100.0));
    let (recall, rank) = (recall.concat(), figures.reciprocal_rank());
    format!("{name:<32}{:>9}{recall}{rank:>7.3}", figures.questions)
}

/// Says how long the answers took.
fn latency(times: &Times) -> Map<String, Value> {
    let (half, most) = (rounded(times.percentile(50)), rounded(times.percentile(95)));
    say(&format!("a question takes {half} ms at the median, {most} ms at the 95th percentile"));
    Map::from_iter([("p50_ms".to_owned(), json!(half)), ("p95_ms".to_owned(), json!(most))])
}

/// The time that questions take in one large scope.
fn scope(conversations: &[Conversation], turns: usize, dimensions: Option<usize>) -> Value {
    let (built, times): (Duration, Times) = match dimensions {
        Some(numbers) => {
            let cloud = |index: &Index| Cloud::new(index, numbers);
            measure::large(conversations, turns, cloud, |index, cloud, query| {
                cloud.ask(index, query);
            })
        }
        None => measure::large(
            conversations,
            turns,
            |_| (),
            |index, (), query| {
                black_box(index.rank(query, measure::USUAL));
            },
        ),
    };
    let built = rounded(built.as_secs_f64() * 1000.0);
    say(&format!("in one scope of {turns} turns, indexed in {built} ms:"));
    let mut json = latency(&times);
    json.insert("turns".into(), json!(turns));
    json.insert("dimensions".into(), json!(dimensions));
    json.insert("index_ms".into(), json!(built));
    Value::Object(json)
}
