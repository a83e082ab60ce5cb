//! Who is let in to have files read: each request once, few of a player, few at all.
//!
//! Reading takes memory and a thread long before there is anything in the database that could tell
//! of it, and a dry run leaves nothing there ever. So what this process is at work on is known here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skald_base::{Error, Result, UserError, UserErrorCode, UserId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    app::App,
    request::{self, Claim},
};

/// Imports that read at once; others wait for their turn.
const READERS: usize = 4;

/// The imports that this process is at work on.
#[derive(Debug)]
pub struct Desk {
    running: Mutex<Vec<(UserId, String)>>,
    readers: Arc<Semaphore>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { running: Mutex::default(), readers: Arc::new(Semaphore::new(READERS)) }
    }
}

impl Desk {
    fn running(&self) -> MutexGuard<'_, Vec<(UserId, String)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An import that was let in; dropped, it makes room for another.
pub(super) struct Admission {
    app: App,
    who: (UserId, String),
}

impl Admission {
    /// Lets a request in, unless it is in already or its player has too many there.
    pub(super) fn get(app: &App, claim: &Claim) -> Result<Self> {
        let who = (claim.user, claim.request.as_str().to_owned());
        let mut running = app.imports.running();
        if running.contains(&who) {
            return Err(request::still_at_work());
        }
        let allowed = app.limits.grafts_per_user;
        let count = running.iter().filter(|(user, _)| *user == claim.user).count();
        if i64::try_from(count).is_ok_and(|count| count >= allowed) {
            let message = format!("at most {allowed} imports may run at once, dry runs too");
            return Err(UserError::new(UserErrorCode::LimitExceeded, message).into());
        }
        running.push(who.clone());
        drop(running);
        Ok(Self { app: app.clone(), who })
    }

    /// Waits until few others read.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        let readers = Arc::clone(&self.app.imports.readers);
        let stopping = self.app.lifecycle.stopping();
        match stopping.run_until_cancelled(readers.acquire_owned()).await {
            Some(Ok(permit)) => Ok(permit),
            Some(Err(_)) | None => {
                Err(Error::conflict("the server is stopping: ask again in a moment"))
            }
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.app.imports.running().retain(|who| *who != self.who);
    }
}
