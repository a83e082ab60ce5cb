//! What an operator may set about accounts, tokens and throttling.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use skald_base::config::Secret;

/// Configuration of accounts, tokens and throttling.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Who issues access tokens (claim `iss`). Default `skald`.
    pub issuer: String,
    /// Whom access tokens are for (claim `aud`). Default `skald`.
    pub audience: String,
    /// Minutes for which an access token is valid. Default 15.
    pub access_minutes: u32,
    /// Days after which an unused refresh token expires. Default 30.
    pub refresh_days: u32,
    /// Days after which a sign-in ends however often it is used. Default 90.
    pub sign_in_days: u32,
    /// How much work a password hash costs.
    pub argon2: Argon2Config,
    /// Passwords hashed at once; 0 means one per core. Default 0.
    pub hash_workers: usize,
    /// Hashes that may wait for a worker before callers are told to come back. Default 64.
    pub hash_queue: usize,
    /// Waiting hashes of one address, so that nobody fills the queue alone. Default 8.
    pub hash_queue_per_address: usize,
    /// How often one may try.
    pub throttle: ThrottleConfig,
    /// Days after which a new signing key takes over. Default 90.
    pub key_rotation_days: u32,
    /// Encrypts the signing keys in the database: a random text of 32 characters or more.
    /// Without it the database itself must be kept secret. A key from before it was set is
    /// replaced at the next start. Unset by default.
    pub key_secret: Option<Secret>,
    /// Lets a test hash cheaply; no file or environment can set it.
    #[serde(skip)]
    pub(crate) weak_hashing: bool,
}

/// The cost of Argon2id. Less than the defaults is refused, except 46 MiB with one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Argon2Config {
    /// Memory in KiB. Default 19456 (19 MiB).
    pub memory_kib: u32,
    /// Passes over the memory. Default 2.
    pub iterations: u32,
    /// Lanes. Default 1.
    pub parallelism: u32,
}

/// How often one may try; each login field of an operation counts as one try.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleConfig {
    /// Wrong passwords for one account from one address. Default 10 at once, 600 an hour.
    pub login_per_account: Rate,
    /// Wrong passwords from one address, whatever the account. Default 60 at once, 1800 an hour.
    pub login_per_address: Rate,
    /// Logins to one account from one address, right or wrong. Default 60 at once, 600 an hour.
    pub any_login_per_account: Rate,
    /// Logins from one address, right or wrong. Default 300 at once, 3600 an hour.
    pub any_login_per_address: Rate,
    /// Registrations from one address. Default 20 at once, 60 an hour.
    pub register_per_address: Rate,
}

/// A bucket of tries that fills up again evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Tries at once.
    pub burst: u32,
    /// Tries an hour after that; 60 or more, so that nobody is shut out for over a minute.
    pub per_hour: u32,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            issuer: "skald".into(),
            audience: "skald".into(),
            access_minutes: 15,
            refresh_days: 30,
            sign_in_days: 90,
            argon2: Argon2Config::default(),
            hash_workers: 0,
            hash_queue: 64,
            hash_queue_per_address: 8,
            throttle: ThrottleConfig::default(),
            key_rotation_days: 90,
            key_secret: None,
            weak_hashing: false,
        }
    }
}

impl Default for Argon2Config {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        let rate = |burst, per_hour| Rate { burst, per_hour };
        Self {
            login_per_account: rate(10, 600),
            login_per_address: rate(60, 1_800),
            any_login_per_account: rate(60, 600),
            any_login_per_address: rate(300, 3_600),
            register_per_address: rate(20, 60),
        }
    }
}

impl Argon2Config {
    /// Whether this costs an attacker at least what OWASP asks for.
    fn is_strong(self) -> bool {
        self.parallelism >= 1
            && ((self.memory_kib >= 19_456 && self.iterations >= 2)
                || (self.memory_kib >= 47_104 && self.iterations >= 1))
    }
}

impl AuthConfig {
    /// The defaults with hashes that cost next to nothing: for tests, never for people.
    pub fn for_tests() -> Self {
        Self {
            argon2: Argon2Config { memory_kib: 8, iterations: 1, parallelism: 1 },
            weak_hashing: true,
            ..Self::default()
        }
    }

    /// Checks what no type can; the error is one sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        let throttle = &self.throttle;
        let rates = [
            ("login_per_account", throttle.login_per_account),
            ("login_per_address", throttle.login_per_address),
            ("any_login_per_account", throttle.any_login_per_account),
            ("any_login_per_address", throttle.any_login_per_address),
            ("register_per_address", throttle.register_per_address),
        ];
        if !self.weak_hashing && !self.argon2.is_strong() {
            return Err("argon2: needs 19456 KiB and 2 passes at least (or 47104 and 1)".into());
        }
        if self.access_minutes == 0 || self.refresh_days == 0 || self.sign_in_days == 0 {
            return Err("access_minutes, refresh_days, sign_in_days: must not be 0".into());
        }
        if self.hash_queue_per_address == 0 {
            return Err("hash_queue_per_address: must not be 0".into());
        }
        if self.key_rotation_days == 0 {
            return Err("key_rotation_days: must not be 0".into());
        }
        if let Some((name, _)) = rates.iter().find(|(_, rate)| !rate.is_fair()) {
            return Err(format!("throttle.{name}: needs a burst of 1 and 60 an hour at least"));
        }
        let short = |secret: &Secret| secret.expose().chars().count() < 32;
        if self.key_secret.as_ref().is_some_and(short) {
            return Err("key_secret: needs 32 characters at least".into());
        }
        Ok(())
    }

    /// For how long an access token is valid.
    pub(crate) fn access_life(&self) -> TimeDelta {
        TimeDelta::minutes(self.access_minutes.into())
    }

    /// For how long a refresh token waits to be used.
    pub(crate) fn refresh_life(&self) -> TimeDelta {
        TimeDelta::days(self.refresh_days.into())
    }

    /// For how long a sign-in lasts at most.
    pub(crate) fn sign_in_life(&self) -> TimeDelta {
        TimeDelta::days(self.sign_in_days.into())
    }

    /// For how long a signing key signs.
    pub(crate) fn key_life(&self) -> TimeDelta {
        TimeDelta::days(self.key_rotation_days.into())
    }
}

impl Rate {
    fn is_fair(self) -> bool {
        self.burst >= 1 && self.per_hour >= 60
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_would_be_unsafe() {
        assert_eq!(AuthConfig::default().check(), Ok(()));
        assert_eq!(AuthConfig::for_tests().check(), Ok(()));
        let mut weak = AuthConfig::default();
        weak.argon2.memory_kib = 19_455;
        assert!(weak.check().unwrap_err().starts_with("argon2"));
        let mut slow = AuthConfig::default();
        slow.throttle.login_per_account.per_hour = 59;
        assert!(slow.check().unwrap_err().contains("login_per_account"));
        let short =
            AuthConfig { key_secret: Some(Secret::new("too short")), ..AuthConfig::default() };
        assert!(short.check().unwrap_err().starts_with("key_secret"));
    }

    #[test]
    fn no_file_can_make_hashing_cheap() {
        let json = serde_json::json!({ "weak_hashing": true });
        assert!(serde_json::from_value::<AuthConfig>(json).is_err());
    }
}
