use countersign_formats::jwt::{Claims, HmacAlgorithm, HmacSecret, SigningKey, TokenType, decode};
use countersign_store::{DatabaseUrl, InstalledApps, NewUser, Place, SessionFate, Store, StoreOptions, User};
use proptest::prelude::*;

use super::*;
use crate::Settings;
use crate::authority::Authority;
use crate::client::Client;
use crate::testing::{FixedClock, SeededEntropy};

/// 2025-06-15 15:06:40 UTC, in milliseconds.
const START: i64 = 1_750_000_000_000;

fn instant(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(START + milliseconds).expect("in range")
}

fn revocations() -> Revocations {
    Revocations::new(&SessionSettings::default(), IdType::Integer, SignedDuration::from_mins(5))
}

#[test]
fn r5_a_read_vouches_for_the_time_since_it_began() {
    let known = revocations();
    assert!(!known.is_fresh_at(Duration::from_millis(1)), "nothing was read");
    known.vouch(Duration::from_millis(500));
    assert!(known.is_fresh_at(Duration::from_millis(1500)));
    assert!(!known.is_fresh_at(Duration::from_millis(1501)));
}

#[tokio::test(start_paused = true)]
async fn r5_a_check_waits_for_the_next_read_and_is_refused_when_it_fails() {
    let known = Arc::new(revocations());
    let waiting = tokio::spawn({
        let known = Arc::clone(&known);
        async move { known.catch_up().await }
    });
    known.wanted.notified().await;
    known.vouch(Duration::MAX / 2);
    waiting.await.expect("no panic").expect("read");

    let known = Arc::new(revocations());
    let waiting = tokio::spawn({
        let known = Arc::clone(&known);
        async move { known.catch_up().await }
    });
    known.wanted.notified().await;
    known.reads.send_modify(|reads| reads.failed = true);
    assert!(matches!(waiting.await.expect("no panic"), Err(StoreError::Unavailable { .. })));
    assert!(matches!(known.catch_up().await, Err(StoreError::Unavailable { .. })), "at once");

    // A read that never ends.
    assert!(matches!(revocations().catch_up().await, Err(StoreError::Unavailable { .. })));
    let accepting = SessionSettings { when_feed_lost: WhenFeedLost::Accept, ..SessionSettings::default() };
    let known = Revocations::new(&accepting, IdType::Integer, SignedDuration::from_mins(5));
    known.catch_up().await.expect("by what was last known");
}

/// What is done to the tokens of two users, or by them.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Of the clock, by so many milliseconds, perhaps back.
    Move(i64),
    LogIn(usize),
    /// At a Django, which knows no sessions.
    LogInAtDjango(usize),
    Refresh(usize),
    EndAll(usize),
    /// All but that of a token.
    EndOthers(usize),
    EndSession(usize),
    RevokeToken(usize),
    EndEverything,
}

fn act() -> impl Strategy<Value = Act> {
    let token = || 0..64_usize;
    prop_oneof![
        4 => prop_oneof![8 => 0..700_i64, 1 => -3000..0_i64].prop_map(Act::Move),
        4 => (0..2_usize).prop_map(Act::LogIn),
        2 => (0..2_usize).prop_map(Act::LogInAtDjango),
        3 => token().prop_map(Act::Refresh),
        1 => (0..2_usize).prop_map(Act::EndAll),
        1 => token().prop_map(Act::EndOthers),
        1 => token().prop_map(Act::EndSession),
        1 => token().prop_map(Act::RevokeToken),
        1 => Just(Act::EndEverything),
    ]
}

/// A refresh token and its access token as the model has them.
#[derive(Clone)]
struct Token {
    user: usize,
    session: Option<usize>,
    access: Claims,
    refresh: String,
    /// The millisecond in which its second began, if it names no session.
    made: Option<i64>,
    /// All that comes of it was ended.
    has_ended: bool,
    /// It was, or the access token alone.
    must_be_refused: bool,
}

struct World {
    authority: Authority,
    clock: Arc<FixedClock>,
    users: Vec<User>,
    now: i64,
    tokens: Vec<Token>,
    sessions: usize,
}

async fn world() -> World {
    let store = Store::open(&"sqlite::memory:".parse::<DatabaseUrl>().expect("an address"), StoreOptions::default())
        .await
        .expect("opens");
    store.migrate(&InstalledApps::default(), instant(0)).await.expect("migrates");
    let mut users = Vec::new();
    for name in ["ann", "bob"] {
        let user = NewUser { username: name.into(), date_joined: instant(0), ..NewUser::default() };
        store.create_user(user).await.expect("creates");
        users.push(store.user_by_username(name).await.expect("reads").expect("there"));
    }
    let secret = HmacSecret::new("a secret of thirty-two bytes....").expect("a secret");
    let mut settings = Settings::new(SigningKey::hmac(HmacAlgorithm::Hs256, &secret));
    settings.hashing.threads = 1;
    settings.sessions = Some(SessionSettings::default());
    let clock = Arc::new(FixedClock::new(instant(0)));
    let builder = Authority::builder(store, settings).clock(clock.clone()).entropy(Arc::new(SeededEntropy::new(7)));
    let authority = builder.build().await.expect("builds");
    World { authority, clock, users, now: 0, tokens: Vec::new(), sessions: 0 }
}

impl World {
    /// A login without its password.
    async fn log_in(&mut self, user: usize, names_session: bool) {
        let (authority, jwt) = (&self.authority, &self.authority.settings().simple_jwt);
        let owner = &self.users[user];
        let (start, now) = (authority.login_start(), authority.now());
        let mut refresh = authority.issue(TokenType::Refresh, owner, None, now).await.expect("claims");
        let began = authority.began(&start, &refresh);
        let session = names_session
            .then(|| authority.begin_session(&mut refresh, Some(&owner.id), Place::default(), began))
            .flatten();
        let jti = authority.fresh_jti().expect("random");
        let access = refresh.access_from_refresh(&jwt.rules, now, jwt.access_token_lifetime, &jti);
        let text = authority.sign(&refresh);
        authority.record_login(owner, &refresh, &text, session.as_ref(), now).await.expect("written");
        self.sessions += 1;
        self.tokens.push(Token {
            user,
            session: names_session.then_some(self.sessions),
            access,
            refresh: text,
            made: (!names_session).then(|| (START + self.now).div_euclid(1000) * 1000 - START),
            has_ended: false,
            must_be_refused: false,
        });
    }

    /// A token of Django's from the future of a clock that was set back is out of reach: nothing else says when it was made.
    fn end(&mut self, ends: impl Fn(&Token) -> bool) {
        let now = self.now;
        for token in self.tokens.iter_mut().filter(|token| ends(token)) {
            token.has_ended |= token.made.is_none_or(|made| made <= now);
            token.must_be_refused |= token.has_ended;
        }
    }

    async fn take(&mut self, act: Act) {
        let pick = |token: usize| token % self.tokens.len();
        match act {
            Act::Move(milliseconds) => {
                self.now = (self.now + milliseconds).max(0);
                self.clock.set(instant(self.now));
            }
            Act::LogIn(user) => self.log_in(user, true).await,
            Act::LogInAtDjango(user) => self.log_in(user, false).await,
            Act::EndAll(user) => {
                self.authority.end_sessions(&self.users[user].id).await.expect("ended");
                self.end(|token| token.user == user);
            }
            Act::EndEverything => {
                self.authority.end_all_sessions().await.expect("ended");
                self.end(|_| true);
            }
            _ if self.tokens.is_empty() => {}
            Act::Refresh(token) => {
                let token = pick(token);
                let known = self.tokens[token].clone();
                let answer = self.authority.refresh(&known.refresh, Client::default()).await;
                if known.has_ended {
                    assert!(answer.is_err(), "R5: a refresh token of what has ended");
                }
                if let Ok(refreshed) = answer {
                    let jwt = &self.authority.settings().simple_jwt;
                    let access =
                        decode(refreshed.access.as_bytes(), &jwt.verifying_keys, &jwt.rules, self.authority.now());
                    // It may be from the future of a clock that was set back.
                    if let Ok(access) = access {
                        self.tokens.push(Token { access, made: None, must_be_refused: known.has_ended, ..known });
                    }
                }
            }
            Act::EndOthers(token) => {
                let kept = self.tokens[pick(token)].clone();
                let sid = self.authority.named_session(&kept.access).map(str::to_owned);
                if sid.is_some() && kept.session.is_none() {
                    return; // begun by a token of Django's, which the list does not follow
                }
                let (owner, except) = (&self.users[kept.user].id, sid.clone().map(SessionFate::Family));
                self.authority.end_all_of("test", owner, except, Client::default()).await.expect("ended");
                let goes_on = |token: &Token| sid.is_some() && token.session.is_some() && token.session == kept.session;
                self.end(|token| token.user == kept.user && !goes_on(token));
            }
            Act::EndSession(token) => {
                let token = self.tokens[pick(token)].clone();
                let Some(sid) = self.authority.named_session(&token.access).map(str::to_owned) else { return };
                let ended = self.authority.end_session(&sid).await.expect("ended");
                if token.session.is_some() {
                    assert!(ended || token.has_ended);
                    self.end(|other| other.session == token.session);
                }
            }
            Act::RevokeToken(token) => {
                let token = pick(token);
                let jti = self.authority.jti_of(&self.tokens[token].access).expect("an id");
                self.authority.revoke_token(&jti).await.expect("revoked");
                self.tokens[token].must_be_refused = true;
            }
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Against a list of what must be refused: whatever was ended is refused from then on, by memory and by the database alike, and a
    /// session that was not ended is not, however the clock was set.
    #[test]
    fn r5_what_has_ended_is_refused_and_nothing_else(acts in proptest::collection::vec(act(), 1..40)) {
        runtime().block_on(async {
            let mut world = world().await;
            for (number, act) in acts.iter().enumerate() {
                world.take(*act).await;
                for (index, token) in world.tokens.iter().enumerate() {
                    let authority = &world.authority;
                    let sid = authority.named_session(&token.access);
                    let in_memory = authority.is_revoked(&token.access, authority.now()).await.expect("known");
                    let in_database = authority.is_revoked_in_database(&token.access, sid).await.expect("reads");
                    assert_eq!(in_memory, in_database, "{number}: {act:?}: {index}");
                    if token.must_be_refused {
                        assert!(in_memory, "{number}: {act:?}: {index} goes on");
                    } else if token.session.is_some() {
                        assert!(!in_memory, "{number}: {act:?}: {index} was ended by nobody");
                    }
                }
            }
        });
    }
}
