//! What valid access tokens do not know yet: sign-ins that ended, roles that changed.
//!
//! Every process keeps this view in memory. What happens in the process is
//! known at once; what happens in others, by a poll of a small table every two
//! seconds. An entry is forgotten when no token from before it can be valid.
//! Open sockets are closed by it: they come back as what they are now.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use skald_base::{Role, SignInId, UserId, viewer::SignedIn};
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
    /// By sign-in: its sockets differ in their role while one of them is out of date.
    watched: HashMap<SignInId, Vec<Watched>>,
}

struct Watched {
    user: UserId,
    role: Role,
    over: CancellationToken,
    until: DateTime<Utc>,
}

impl Revocations {
    /// Takes note of something that happened at `at`; to hear of it again changes nothing.
    pub fn apply(&self, revocation: Revocation, at: DateTime<Utc>) {
        let mut state = self.state();
        match revocation {
            Revocation::SignInEnded(id) => {
                state.ended.entry(id).or_insert(at);
                for watched in state.watched.remove(&id).into_iter().flatten() {
                    watched.over.cancel();
                }
            }
            Revocation::RoleChanged(id, role) => state.change_role(id, role, at),
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

    /// Cancelled when this sign-in ends, or its user gets another role, before `until`;
    /// at once if that has happened.
    pub fn watch(&self, viewer: &SignedIn, until: DateTime<Utc>) -> CancellationToken {
        let SignedIn { id: user, sign_in, role, .. } = *viewer;
        let mut state = self.state();
        let over = CancellationToken::new();
        let is_stale = state.roles.get(&user).is_some_and(|(now, _)| *now != role);
        if is_stale || state.ended.contains_key(&sign_in) {
            over.cancel();
            return over;
        }
        let all = state.watched.entry(sign_in).or_default();
        if let Some(same) = all.iter_mut().find(|watched| watched.role == role) {
            same.until = same.until.max(until);
            return same.over.clone();
        }
        all.push(Watched { user, role, over: over.clone(), until });
        over
    }

    /// Forgets what was noted before `before`, and watches that are over at `now`.
    pub(crate) fn forget(&self, before: DateTime<Utc>, now: DateTime<Utc>) {
        let mut state = self.state();
        state.ended.retain(|_, at| *at >= before);
        state.roles.retain(|_, (_, at)| *at >= before);
        state.keep_watching(|watched| watched.until > now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The poll tells the same story for a minute: only what is news closes sockets.
    fn change_role(&mut self, user: UserId, role: Role, at: DateTime<Utc>) {
        if self.roles.get(&user).is_some_and(|(_, known)| *known > at) {
            return;
        }
        self.roles.insert(user, (role, at));
        self.keep_watching(|watched| {
            let holds = watched.user != user || watched.role == role;
            if !holds {
                watched.over.cancel();
            }
            holds
        });
    }

    fn keep_watching(&mut self, keep: impl Fn(&Watched) -> bool) {
        self.watched.retain(|_, all| {
            all.retain(&keep);
            !all.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use skald_base::{Ids, clock::TestClock};

    use super::*;

    fn viewer(ids: &Ids, role: Role) -> SignedIn {
        SignedIn { id: ids.next(), sign_in: ids.next(), role, minor: false }
    }

    #[test]
    fn a_watch_hears_of_the_end_and_is_forgotten_with_its_token() {
        let now = DateTime::UNIX_EPOCH;
        let ids = Ids::seeded(Arc::new(TestClock::new(now)), 1);
        let (first, second) = (viewer(&ids, Role::User), viewer(&ids, Role::User));
        let revocations = Revocations::default();
        let soon = now + TimeDelta::minutes(15);
        let (a, b) = (revocations.watch(&first, soon), revocations.watch(&second, soon));
        revocations.apply(Revocation::SignInEnded(first.sign_in), now);
        assert!(a.is_cancelled() && !b.is_cancelled());
        assert!(revocations.watch(&first, soon).is_cancelled());
        revocations.forget(now, soon);
        assert!(revocations.has_ended(first.sign_in));
        assert!(revocations.state().watched.is_empty());
        revocations.forget(soon, soon);
        assert!(!revocations.has_ended(first.sign_in));
    }

    #[test]
    fn a_watch_hears_of_a_new_role_once() {
        let now = DateTime::UNIX_EPOCH;
        let ids = Ids::seeded(Arc::new(TestClock::new(now)), 1);
        let (admin, other) = (viewer(&ids, Role::Admin), viewer(&ids, Role::Admin));
        let revocations = Revocations::default();
        let (soon, later) = (now + TimeDelta::seconds(1), now + TimeDelta::minutes(15));
        let (a, b) = (revocations.watch(&admin, later), revocations.watch(&other, later));
        let promoted = Revocation::RoleChanged(admin.id, Role::Admin);
        let demoted = Revocation::RoleChanged(admin.id, Role::User);
        revocations.apply(promoted, now);
        assert!(!a.is_cancelled());
        revocations.apply(demoted, soon);
        assert!(a.is_cancelled() && !b.is_cancelled());
        // Who was verified just before the change comes too late to watch.
        assert!(revocations.watch(&admin, later).is_cancelled());
        let back = SignedIn { role: Role::User, ..admin };
        let again = revocations.watch(&back, later);
        // The next poll tells all of it once more.
        revocations.apply(promoted, now);
        revocations.apply(demoted, soon);
        assert!(!again.is_cancelled());
        assert_eq!(revocations.role(admin.id), Some(Role::User));
    }
}
