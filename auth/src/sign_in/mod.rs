//! Signing in and out: a sign-in is a device, and the family of its refresh tokens.
//!
//! How a sign-in lives on is in [`refresh`]; how it begins and ends is here.

mod refresh;

use chrono::{DateTime, Utc};
use skald_base::{
    Error, Result, Role, SignInId, Tx, UserError, UserErrorCode, UserId, Viewer, config::Secret,
};

use crate::{
    account::{Account, Credentials},
    app::Auth,
    name::Login,
    password::{Password, Verdict},
    revocation::Revocation,
    store,
    throttle::{Key, Network},
    token,
};

pub(crate) use crate::token::refresh::TokenHash;

/// A device that holds tokens.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct SignIn {
    pub(crate) id: SignInId,
    pub(crate) account_id: UserId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_used_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    pub(crate) user_agent: Option<String>,
}

/// What is stored of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct RefreshToken {
    pub(crate) hash: TokenHash,
    pub(crate) sign_in_id: SignInId,
    pub(crate) predecessor: Option<TokenHash>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) used_at: Option<DateTime<Utc>>,
    pub(crate) replaced_at: Option<DateTime<Utc>>,
}

/// Where a login comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) network: Option<Network>,
    pub(crate) user_agent: Option<String>,
}

impl Origin {
    pub(crate) fn network(&self) -> Option<Network> {
        self.network
    }
}

/// A user with fresh tokens.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) account: Account,
    pub(crate) access_token: Secret,
    pub(crate) access_token_expires_at: DateTime<Utc>,
    pub(crate) refresh_token: Secret,
}

impl Auth {
    /// Signs in with a username or e-mail address and a password.
    pub(crate) async fn login(
        &self,
        from: &Origin,
        login: &str,
        password: Password,
    ) -> Result<Granted> {
        let login = Login::parse(login);
        let found = store::account::credentials_by_login(&self.db, &login).await?;
        let known = self.check_password(from.network, login.key(), found, password).await?;
        let known = known.ok_or_else(wrong_login)?;
        let granted = self.sign_in(&known, from).await?;
        tracing::info!(user = %known.id, "user signed in");
        Ok(granted)
    }

    /// Compares a password, if there are tries left; gives the credentials it fits.
    ///
    /// Name and e-mail address of an account share its tries. That shows in no
    /// answer, else anybody could ask whose address it is: without a try left
    /// even the right password is a wrong one.
    async fn check_password(
        &self,
        network: Option<Network>,
        typed: &str,
        found: Option<Credentials>,
        password: Password,
    ) -> Result<Option<Credentials>> {
        let mut taken = self.take_tries(network, typed)?;
        let stored = found.as_ref().map(|found| &*found.password_hash);
        let verdict = self.passwords.verify(network, password, stored).await;
        let verdict = verdict.inspect_err(|_| {
            // A full queue was no guess.
            self.throttle.give_back(&taken);
        })?;
        let Some(found) = found else {
            return Ok(None);
        };
        let by_account = Key::LoginAccount(found.id, network);
        let per_account = self.config.throttle.login_per_account;
        let may_know = self.throttle.take(&by_account, per_account).is_ok();
        let (true, Verdict::Right { rehashed }) = (may_know, verdict) else {
            return Ok(None);
        };
        taken.push(by_account);
        self.throttle.give_back(&taken);
        match rehashed {
            None => Ok(Some(found)),
            Some(stronger) => {
                Ok(Some(store::account::strengthen(&self.db, found, stronger).await?))
            }
        }
    }

    /// Takes what a login costs; gives the part to give back if it was no wrong one.
    fn take_tries(&self, network: Option<Network>, typed: &str) -> Result<Vec<Key>> {
        let rates = &self.config.throttle;
        if let Some(network) = network {
            let all = Key::AnyLoginAddress(network);
            self.throttle.take(&all, rates.any_login_per_address)?;
        }
        let all = Key::AnyLoginName(typed.to_owned(), network);
        self.throttle.take(&all, rates.any_login_per_account)?;
        let mut taken = Vec::new();
        if let Some(network) = network {
            let by_address = Key::LoginAddress(network);
            self.throttle.take(&by_address, rates.login_per_address)?;
            taken.push(by_address);
        }
        let by_name = Key::LoginName(typed.to_owned(), network);
        self.throttle.take(&by_name, rates.login_per_account)?;
        taken.push(by_name);
        Ok(taken)
    }

    /// Begins a sign-in of whom these credentials fit, if they still hold.
    ///
    /// The password was compared outside of the transaction; a new one set
    /// meanwhile ends all sign-ins, and this one must not slip through.
    pub(crate) async fn sign_in(&self, known: &Credentials, from: &Origin) -> Result<Granted> {
        let mut tx = self.db.begin().await?;
        if !store::account::lock_credentials(&mut tx, known).await? {
            return Err(wrong_login());
        }
        let account = store::account::find_in(&mut tx, known.id).await?;
        let account = account.ok_or_else(wrong_login)?;
        let granted = self.grant(&mut tx, account, from).await?;
        tx.commit().await?;
        Ok(granted)
    }

    /// Begins a sign-in within a transaction.
    pub(crate) async fn grant(
        &self,
        tx: &mut Tx,
        account: Account,
        from: &Origin,
    ) -> Result<Granted> {
        let now = self.clock.now();
        let sign_in = SignIn {
            id: self.ids.next(),
            account_id: account.id,
            created_at: now,
            last_used_at: now,
            expires_at: now + self.config.sign_in_life(),
            ended_at: None,
            user_agent: from.user_agent.clone(),
        };
        store::sign_in::insert(tx, &sign_in).await?;
        self.issue(tx, account, &sign_in, None).await
    }

    /// Makes an access token and the refresh token that follows `predecessor`.
    async fn issue(
        &self,
        tx: &mut Tx,
        account: Account,
        sign_in: &SignIn,
        predecessor: Option<TokenHash>,
    ) -> Result<Granted> {
        let now = self.clock.now();
        let (refresh_token, hash) = token::refresh::generate()?;
        let stored = RefreshToken {
            hash,
            sign_in_id: sign_in.id,
            predecessor,
            created_at: now,
            expires_at: (now + self.config.refresh_life()).min(sign_in.expires_at),
            used_at: None,
            replaced_at: None,
        };
        store::sign_in::insert_token(tx, &stored).await?;
        let (access_token, access_token_expires_at) = self.access_token(&account, sign_in.id)?;
        Ok(Granted { account, access_token, access_token_expires_at, refresh_token })
    }

    /// Ends the sign-in of a refresh token, or else the viewer's; which one it was.
    pub(crate) async fn logout(
        &self,
        viewer: &Viewer,
        presented: Option<&str>,
    ) -> Result<Option<SignInId>> {
        let mut tx = self.db.begin().await?;
        let by_token = match presented {
            Some(text) => store::sign_in::lock_by_token(&mut tx, &TokenHash::of(text)).await?,
            None => None,
        };
        let own = viewer.user().ok().map(|viewer| viewer.sign_in);
        let Some(id) = by_token.map(|sign_in| sign_in.id).or(own) else {
            return Ok(None);
        };
        self.end(&mut tx, id).await?;
        tx.commit().await?;
        self.revoke(&[id]);
        Ok(Some(id))
    }

    /// Ends one of the viewer's sign-ins; an admin may end anybody's.
    pub(crate) async fn end_sign_in(&self, viewer: &Viewer, id: SignInId) -> Result<()> {
        let viewer = viewer.user()?;
        let found = store::sign_in::find(&self.db, id).await?;
        found
            .filter(|found| found.account_id == viewer.id || viewer.role == Role::Admin)
            .ok_or_else(|| Error::not_found("sign-in"))?;
        let mut tx = self.db.begin().await?;
        self.end(&mut tx, id).await?;
        tx.commit().await?;
        self.revoke(&[id]);
        Ok(())
    }

    /// Sets a new password, knowing the old one; ends the user's other sign-ins.
    pub(crate) async fn change_password(
        &self,
        viewer: &Viewer,
        network: Option<Network>,
        current: Password,
        new: Password,
    ) -> Result<Account> {
        let viewer = viewer.user()?;
        let account = self.account(viewer.id).await?;
        let found = store::account::credentials(&self.db, viewer.id).await?;
        let whom = viewer.id.to_string();
        let wrong = || {
            let wrong = UserError::new(UserErrorCode::BadCredentials, "wrong password");
            Error::from(wrong.at("input.currentPassword"))
        };
        let known = self.check_password(network, &whom, found, current).await?;
        let known = known.ok_or_else(wrong)?;
        let hash = self.hash_new_password(network, &account, new).await?;
        let mut tx = self.db.begin().await?;
        if !store::account::lock_credentials(&mut tx, &known).await? {
            return Err(wrong());
        }
        self.replace_password(tx, &account, &hash, Some(viewer.sign_in)).await?;
        Ok(account)
    }

    /// Ends a sign-in and notes it for every process.
    async fn end(&self, tx: &mut Tx, id: SignInId) -> Result<()> {
        let now = self.clock.now();
        if store::sign_in::end(tx, id, now).await? {
            let ended = Revocation::SignInEnded(id);
            store::revocation::insert(tx, &self.ids, ended, now).await?;
        }
        Ok(())
    }

    /// Ends a user's sign-ins but one and notes it for every process.
    pub(crate) async fn end_all(
        &self,
        tx: &mut Tx,
        user: UserId,
        keep: Option<SignInId>,
    ) -> Result<Vec<SignInId>> {
        let now = self.clock.now();
        let ended = store::sign_in::end_all(tx, user, keep, now).await?;
        for id in &ended {
            let ended = Revocation::SignInEnded(*id);
            store::revocation::insert(tx, &self.ids, ended, now).await?;
        }
        Ok(ended)
    }

    /// Makes ended sign-ins known in this process at once; call it after the commit.
    pub(crate) fn revoke(&self, ended: &[SignInId]) {
        for id in ended {
            self.revocations.apply(Revocation::SignInEnded(*id), self.clock.now());
        }
    }
}

fn wrong_login() -> Error {
    UserError::new(UserErrorCode::BadCredentials, "wrong name or password").into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use skald_base::{
        Ids,
        clock::TestClock,
        testing::{TestDb, each_database},
    };

    use super::*;
    use crate::{AuthConfig, MIGRATIONS, account::Registration};

    const OLD: &str = "brisingamen at dawn";

    async fn freya(db: skald_base::Db) -> (Auth, Granted) {
        let clock = Arc::new(TestClock::new(DateTime::from_timestamp_secs(1_790_000_000).unwrap()));
        let ids = Ids::new(clock.clone());
        let auth = Auth::open(db, AuthConfig::for_tests(), clock, ids).await.unwrap();
        let asked = Registration {
            username: "freya".into(),
            email: "freya@asgard.example".into(),
            password: Password::new(OLD),
            display_name: None,
            birth_date: None,
            client_request_id: None,
        };
        let granted = auth.register(&Origin::default(), asked).await.unwrap();
        (auth, granted)
    }

    fn code<T>(outcome: Result<T>) -> UserErrorCode {
        match outcome {
            Err(Error::User(error)) => error.code,
            Ok(_) | Err(_) => panic!("it is refused"),
        }
    }

    #[tokio::test]
    async fn a_login_in_flight_does_not_survive_a_new_password() {
        each_database(MIGRATIONS, async |TestDb { db, dir: _dir, .. }| {
            let (auth, granted) = freya(db).await;
            let found = store::account::credentials(&auth.db, granted.account.id);
            let verified = found.await.unwrap().unwrap();
            auth.sign_in(&verified, &Origin::default()).await.unwrap();
            // Between the comparison and the sign-in, the owner sets a new password.
            auth.set_password_by_login("freya", "a falcon-feather cloak").await.unwrap();
            let late = auth.sign_in(&verified, &Origin::default()).await;
            assert_eq!(code(late), UserErrorCode::BadCredentials);
            let now = auth.clock.now();
            let left = store::sign_in::list(&auth.db, granted.account.id, now).await.unwrap();
            assert_eq!(left, []);
        })
        .await;
    }

    #[tokio::test]
    async fn of_two_new_passwords_at_once_one_is_refused() {
        each_database(MIGRATIONS, async |TestDb { db, dir: _dir, .. }| {
            let (auth, granted) = freya(db).await;
            let phone = auth.login(&Origin::default(), "freya", Password::new(OLD)).await.unwrap();
            let viewer = |granted: &Granted| {
                let verified = auth.verifier().verify(granted.access_token.expose()).unwrap();
                Viewer::from(verified)
            };
            let (owner, thief) = (viewer(&granted), viewer(&phone));
            let change = |who, new: &str| {
                let (old, new) = (Password::new(OLD), Password::new(new));
                let auth = auth.clone();
                async move { auth.change_password(&who, None, old, new).await }
            };
            let (first, second) = tokio::join!(
                change(owner, "a falcon-feather cloak"),
                change(thief, "a cloak of other feathers"),
            );
            let refused = [first, second].into_iter().filter(Result::is_err).map(code);
            assert_eq!(refused.collect::<Vec<_>>(), [UserErrorCode::BadCredentials]);
        })
        .await;
    }
}
