//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A story engine: a GraphQL backend for interactive fiction and roleplay with AI characters.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the graph, the page and everything else.
    Serve(ServeOptions),
    /// Bring the databases up to date and end.
    Migrate(Options),
    /// Print the graph's schema.
    Schema {
        /// Only this subgraph, with its federation directives.
        #[arg(long)]
        subgraph: Option<Subgraph>,
    },
    /// Print the configuration that is in force, secrets redacted.
    Config {
        #[command(flatten)]
        options: Options,
        /// Print the defaults with an explanation of each setting instead.
        #[arg(long)]
        example: bool,
    },
    /// Check configuration, databases, port and model, and say what to fix.
    Doctor(Options),
    /// Embed all stories now, so that what means the same comes to mind in their next turns.
    ///
    /// What has a vector already is left alone, and vectors of other models are erased. It can be
    /// stopped, and goes on where it was. With SQLite the server has to be stopped.
    Reindex(Options),
    /// Decode an id of the graph.
    Id {
        /// Such as `message_01jd…`.
        id: String,
    },
    /// Look after accounts.
    Admin {
        #[command(flatten)]
        options: Options,
        #[command(subcommand)]
        command: AdminCommand,
    },
}

#[derive(Args)]
pub(crate) struct ServeOptions {
    /// What to serve.
    #[arg(value_enum, default_value_t = Service::All)]
    pub(crate) service: Service,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// Where the configuration comes from, and what the command line overrides in it.
#[derive(Args, Clone, Default)]
pub(crate) struct Options {
    /// Address to listen on, such as 127.0.0.1:8000.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Folder of the SQLite databases.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// Configuration file; `skald.toml` in this folder if it is there.
    #[arg(long, value_name = "FILE", env = "SKALD_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    /// Auth and core in one process, as one graph.
    All,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subgraph {
    /// Accounts and sign-ins.
    Auth,
    /// The story engine.
    Core,
}

#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Make somebody a USER, MODERATOR or ADMIN.
    SetRole {
        /// User name or e-mail address.
        login: String,
        /// The role.
        #[arg(value_enum, ignore_case = true)]
        role: Role,
    },
    /// Set somebody's password, read from standard input; ends all their sign-ins.
    SetPassword {
        /// User name or e-mail address.
        login: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Plays and writes.
    User,
    /// Also looks after the public catalogue.
    Moderator,
    /// Also changes roles and sees accounts.
    Admin,
}
