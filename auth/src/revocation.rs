//! What valid access tokens do not know yet: sign-ins that ended, roles that changed.
//!
//! Every process keeps this view in memory. What happens in the process is
//! known at once; what happens in others, by a poll of a small table every two
//! seconds. An entry is forgotten when no token from before it can be valid.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use skald_base::{Role, SignInId, UserId};
use tokio_util::sync::CancellationToken;

/// Something that access tokens do not know yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The tokens of this sign-in are void.
    SignInEnded(SignInId),
    /// This user has another role than their tokens say.
    RoleChanged(UserId, Role),
}

/// The view of one process; clones share it.
#[derive(Clone, Default)]
pub struct Revocations(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    ended: HashMap<SignInId, DateTime<Utc>>,
    roles: HashMap<UserId, (Role, DateTime<Utc>)>,
    watched: HashMap<SignInId, Watched>,
}

struct Watched {
    ended: CancellationToken,
    until: DateTime<Utc>,
}

impl Revocations {
    /// Takes note of something that became known at `now`.
    pub fn apply(&self, revocation: Revocation, now: DateTime<Utc>) {
        let mut state = self.state();
        match revocation {
            Revocation::SignInEnded(id) => {
                state.ended.entry(id).or_insert(now);
                if let Some(watched) = state.watched.remove(&id) {
                    watched.ended.cancel();
                }
            }
            Revocation::RoleChanged(id, role) => {
                state.roles.insert(id, (role, now));
            }
        }
    }

    /// Whether this sign-in has ended.
    pub fn has_ended(&self, id: SignInId) -> bool {
        self.state().ended.contains_key(&id)
    }

    /// The role of this user, if it changed.
    pub fn role(&self, id: UserId) -> Option<Role> {
        self.state().roles.get(&id).map(|(role, _)| *role)
    }

    /// Cancelled when this sign-in ends before `until`; at once if it has ended.
    pub fn watch(&self, id: SignInId, until: DateTime<Utc>) -> CancellationToken {
        let mut state = self.state();
        if state.ended.contains_key(&id) {
            let ended = CancellationToken::new();
            ended.cancel();
            return ended;
        }
        let watched = state
            .watched
            .entry(id)
            .or_insert_with(|| Watched { ended: CancellationToken::new(), until });
        watched.until = watched.until.max(until);
        watched.ended.clone()
    }

    /// Forgets what was noted before `before`, and watches that are over at `now`.
    pub(crate) fn forget(&self, before: DateTime<Utc>, now: DateTime<Utc>) {
        let mut state = self.state();
        state.ended.retain(|_, at| *at >= before);
        state.roles.retain(|_, (_, at)| *at >= before);
        state.watched.retain(|_, watched| watched.until > now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use skald_base::{Ids, clock::TestClock};

    use super::*;

    #[test]
    fn a_watch_hears_of_the_end_and_is_forgotten_with_its_token() {
        let now = DateTime::UNIX_EPOCH;
        let ids = Ids::seeded(Arc::new(TestClock::new(now)), 1);
        let (first, second): (SignInId, SignInId) = (ids.next(), ids.next());
        let revocations = Revocations::default();
        let soon = now + TimeDelta::minutes(15);
        let (a, b) = (revocations.watch(first, soon), revocations.watch(second, soon));
        revocations.apply(Revocation::SignInEnded(first), now);
        assert!(a.is_cancelled() && !b.is_cancelled());
        assert!(revocations.watch(first, soon).is_cancelled());
        revocations.forget(now, soon);
        assert!(revocations.has_ended(first));
        assert!(revocations.state().watched.is_empty());
        revocations.forget(soon, soon);
        assert!(!revocations.has_ended(first));
    }
}
