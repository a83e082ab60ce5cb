//! What every resolver reaches for.

use async_graphql::Context;
use skald_base::Viewer;

use super::loaders::Loaders;
use crate::app::App;

/// What every resolver reaches for.
pub(super) trait Graph {
    /// The application.
    fn app(&self) -> &App;

    /// Who is asking.
    fn viewer(&self) -> &Viewer;

    /// Batched reads, fresh for this operation.
    fn loaders(&self) -> &Loaders;
}

impl Graph for Context<'_> {
    fn app(&self) -> &App {
        self.data_unchecked()
    }

    fn viewer(&self) -> &Viewer {
        self.data_opt().unwrap_or(&Viewer::Anonymous)
    }

    fn loaders(&self) -> &Loaders {
        self.data_unchecked()
    }
}
