//! The rule as it is carried out, on a database, against a model that knows nothing of how.

use std::sync::Arc;

use countersign_formats::jwt::{HmacAlgorithm, HmacSecret, SigningKey, decode};
use countersign_store::{DatabaseUrl, InstalledApps, NewUser, OutstandingToken, Store, StoreOptions};
use proptest::prelude::*;

use super::*;
use crate::settings::{SessionSettings, Settings};
use crate::testing::{FixedClock, SeededEntropy};

const START: i64 = 1_750_000_000;
/// How long a refresh token lives in these tests.
const LIFETIME: i64 = 600;

/// What a client, or Django beside us, does next.
#[derive(Debug, Clone, Copy)]
enum Act {
    Login,
    /// Django logs somebody in, and names no session.
    LoginAtDjango,
    Wait(i64),
    Refresh(usize),
    Logout(usize),
    RefreshAtDjango(usize),
}

#[derive(Debug, Clone, Copy)]
struct Choices {
    window: i64,
    idle: Option<i64>,
    absolute: Option<i64>,
    blacklists: bool,
}

/// A token as the model sees it.
#[derive(Debug, Clone)]
struct Token {
    family: usize,
    exp: i64,
    /// Its successor here, and when it got it.
    child: Option<(usize, i64)>,
    /// When it became void in SimpleJWT's table.
    void: Option<i64>,
    /// Whether our rows know it: made here, or the first of its family.
    is_known_here: bool,
    text: String,
}

#[derive(Debug, Clone, Copy)]
struct Family {
    begun: i64,
    refreshed: i64,
    ended: bool,
    /// Whether we have seen it.
    is_seen: bool,
    /// Whether Django, which knows of no families, gave out another token of it.
    is_forked: bool,
}

/// The automaton: what should happen.
#[derive(Debug, Default)]
struct Model {
    now: i64,
    families: Vec<Family>,
    tokens: Vec<Token>,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Refused,
    New,
    Same(usize),
}

impl Model {
    fn end(&mut self, family: usize) {
        let now = self.now;
        self.families[family].ended = true;
        for token in self.tokens.iter_mut().filter(|token| token.family == family && token.is_known_here) {
            if token.exp > now && token.void.is_none() {
                token.void = Some(now);
            }
        }
    }

    /// What a token is good for, with the family ended if that is due.
    fn judged(&mut self, index: usize, choices: Choices) -> Expected {
        let (token, now) = (self.tokens[index].clone(), self.now);
        let family = self.families[token.family];
        let is_just_now = |then: i64| choices.window > 0 && now - then <= choices.window;
        if now >= token.exp || family.ended {
            return Expected::Refused;
        }
        if !family.is_seen {
            return if token.void.is_some() {
                Expected::Refused
            } else {
                self.within_limits(index, choices, Expected::New)
            };
        }
        if let Some((child, when)) = token.child {
            if self.tokens[child].child.is_some() || self.tokens[child].void.is_some() || !is_just_now(when) {
                self.end(token.family);
                return Expected::Refused;
            }
            return self.within_limits(index, choices, Expected::Same(child));
        }
        if let Some(when) = token.void {
            if !is_just_now(when) {
                self.end(token.family);
            }
            return Expected::Refused;
        }
        self.within_limits(index, choices, Expected::New)
    }

    fn within_limits(&self, index: usize, choices: Choices, good: Expected) -> Expected {
        let family = self.families[self.tokens[index].family];
        let idle = family.is_seen && choices.idle.is_some_and(|idle| self.now - family.refreshed >= idle);
        let old = choices.absolute.is_some_and(|absolute| self.now - family.begun >= absolute);
        if idle || old { Expected::Refused } else { good }
    }
}

fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).expect("in range")
}

struct World {
    authority: Authority,
    clock: Arc<FixedClock>,
    user: User,
}

async fn world(choices: Choices) -> World {
    let store = Store::open(&"sqlite::memory:".parse::<DatabaseUrl>().expect("an address"), StoreOptions::default())
        .await
        .expect("opens");
    store.migrate(&InstalledApps::default(), instant(0)).await.expect("migrates");
    let ann = NewUser { username: "ann".into(), date_joined: instant(0), ..NewUser::default() };
    store.create_user(ann).await.expect("creates");
    let secret = HmacSecret::new("a secret of thirty-two bytes....").expect("a secret");
    let mut settings = Settings::new(SigningKey::hmac(HmacAlgorithm::Hs256, &secret));
    settings.simple_jwt.rotate_refresh_tokens = true;
    settings.simple_jwt.blacklist_after_rotation = choices.blacklists;
    settings.simple_jwt.refresh_token_lifetime = SignedDuration::from_secs(LIFETIME);
    settings.hashing.threads = 1;
    settings.sessions = Some(SessionSettings {
        refresh_window: SignedDuration::from_secs(choices.window),
        idle_lifetime: choices.idle.map(SignedDuration::from_secs),
        absolute_lifetime: choices.absolute.map(SignedDuration::from_secs),
        ..SessionSettings::default()
    });
    let clock = Arc::new(FixedClock::new(instant(0)));
    let authority = Authority::builder(store, settings)
        .clock(clock.clone())
        .entropy(Arc::new(SeededEntropy::new(7)))
        .build()
        .await
        .expect("builds");
    let user = authority.store().user_by_username("ann").await.expect("reads").expect("there");
    World { authority, clock, user }
}

impl World {
    fn set_clock(&self, seconds: i64) {
        self.clock.set(instant(seconds));
    }

    /// A login without its password.
    async fn log_in(&self, names_session: bool) -> String {
        let now = self.authority.now();
        let mut refresh = self.authority.issue(TokenType::Refresh, &self.user, None, now).await.expect("claims");
        let session = if names_session {
            self.authority.begin_session(&mut refresh, Some(&self.user.id), Place::default(), now)
        } else {
            None
        };
        let text = self.authority.sign(&refresh);
        self.authority.record_login(&self.user, &refresh, &text, session.as_ref(), now).await.expect("written");
        text
    }

    fn claims(&self, text: &str) -> Claims {
        let jwt = &self.authority.settings().simple_jwt;
        decode(text.as_bytes(), &jwt.verifying_keys, &jwt.rules, self.authority.now()).expect("valid")
    }

    /// What SimpleJWT does with a token that it accepts, under `BLACKLIST_AFTER_ROTATION`.
    async fn rotate_at_django(&self, text: &str) -> String {
        let (authority, now) = (&self.authority, self.authority.now());
        let mut claims = self.claims(text);
        let record = |claims: &Claims| -> OutstandingToken {
            authority.outstanding(claims, &authority.sign(claims), Some(self.user.id.clone()), now).expect("an id")
        };
        authority.store().blacklist(&record(&claims), now).await.expect("voided");
        let jti = authority.fresh_jti().expect("random");
        claims.rotate_in_place(&authority.settings().simple_jwt.rules, now, SignedDuration::from_secs(LIFETIME), &jti);
        authority.store().record_outstanding(&record(&claims)).await.expect("recorded");
        authority.sign(&claims)
    }

    async fn is_void_at_django(&self, text: &str) -> bool {
        let jti = self.authority.jti_of(&self.claims(text)).expect("an id");
        self.authority.store().is_blacklisted(&jti).await.expect("reads")
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let token = 0..64_usize;
    let act = prop_oneof![
        1 => Just(Act::Login),
        1 => Just(Act::LoginAtDjango),
        4 => prop_oneof![4 => 0..6_i64, 2 => 6..14_i64, 1 => 100..400_i64].prop_map(Act::Wait),
        10 => token.clone().prop_map(Act::Refresh),
        1 => token.clone().prop_map(Act::Logout),
        2 => token.prop_map(Act::RefreshAtDjango),
    ];
    proptest::collection::vec(act, 1..40)
}

fn choices() -> impl Strategy<Value = Choices> {
    (
        prop_oneof![Just(0), Just(10)],
        proptest::option::of(Just(300)),
        proptest::option::of(Just(900)),
        proptest::bool::weighted(0.8),
    )
        .prop_map(|(window, idle, absolute, blacklists)| Choices { window, idle, absolute, blacklists })
}

/// Runs the acts and compares each answer with the model's.
#[expect(clippy::too_many_lines, reason = "one arm an act")]
async fn run(choices: Choices, acts: &[Act]) {
    let world = world(choices).await;
    let mut model = Model::default();
    let mut access = std::collections::HashMap::new();
    for (number, act) in acts.iter().enumerate() {
        match *act {
            Act::Wait(seconds) => {
                model.now += seconds;
                world.set_clock(model.now);
            }
            Act::Login | Act::LoginAtDjango => {
                let is_ours = matches!(act, Act::Login);
                let text = world.log_in(is_ours).await;
                let family = model.families.len();
                let now = model.now;
                model.families.push(Family {
                    begun: now,
                    refreshed: now,
                    ended: false,
                    is_seen: is_ours,
                    is_forked: false,
                });
                let exp = if is_ours {
                    choices.absolute.map_or(LIFETIME, |absolute| absolute.min(LIFETIME))
                } else {
                    LIFETIME
                };
                model.tokens.push(Token { family, exp: now + exp, child: None, void: None, is_known_here: true, text });
            }
            Act::Refresh(_) | Act::Logout(_) | Act::RefreshAtDjango(_) if model.tokens.is_empty() => {}
            Act::RefreshAtDjango(pick) => {
                let index = pick % model.tokens.len();
                let token = model.tokens[index].clone();
                if model.now >= token.exp {
                    continue;
                }
                assert_eq!(
                    world.is_void_at_django(&token.text).await,
                    token.void.is_some(),
                    "{number}: what Django sees of {index}"
                );
                if token.void.is_some() {
                    continue;
                }
                let text = world.rotate_at_django(&token.text).await;
                model.tokens[index].void = Some(model.now);
                // A token that names no session begins another family.
                let family = if world.authority.named_session(&world.claims(&text)).is_some() {
                    model.families[token.family].is_forked = true;
                    token.family
                } else {
                    model.families.push(Family {
                        begun: model.now,
                        refreshed: model.now,
                        ended: false,
                        is_seen: false,
                        is_forked: false,
                    });
                    model.families.len() - 1
                };
                let is_root = family != token.family;
                model.tokens.push(Token {
                    family,
                    exp: model.now + LIFETIME,
                    child: None,
                    void: None,
                    is_known_here: is_root,
                    text,
                });
            }
            Act::Refresh(pick) => {
                let index = pick % model.tokens.len();
                let expected = model.judged(index, choices);
                let text = model.tokens[index].text.clone();
                let answer = world.authority.refresh(&text, Client::default()).await;
                match expected {
                    Expected::Refused => {
                        let refusal = answer.expect_err("refused");
                        assert!(matches!(refusal, Failure::Token(_)), "{number}: {index}: {refusal:?}");
                    }
                    Expected::Same(child) => {
                        let answer = answer.unwrap_or_else(|refusal| panic!("{number}: {index}: {refusal:?}"));
                        assert_eq!(
                            answer.refresh.as_ref(),
                            Some(&model.tokens[child].text),
                            "{number}: the same successor"
                        );
                        assert_eq!(Some(&answer.access), access.get(&child), "{number}: the same access token");
                    }
                    Expected::New => {
                        let answer = answer.unwrap_or_else(|refusal| panic!("{number}: {index}: {refusal:?}"));
                        let text = answer.refresh.expect("rotated");
                        assert!(model.tokens.iter().all(|token| token.text != text), "{number}: a new one");
                        let (child, family) = (model.tokens.len(), model.tokens[index].family);
                        model.families[family].refreshed = model.now;
                        model.families[family].is_seen = true;
                        model.tokens[index].child = Some((child, model.now));
                        if choices.blacklists {
                            model.tokens[index].void = Some(model.now);
                        }
                        let end = choices.absolute.map_or(i64::MAX, |absolute| model.families[family].begun + absolute);
                        let exp = (model.now + LIFETIME).min(end);
                        assert_eq!(world.claims(&text).exp(), Some(START + exp), "R4: never beyond the absolute end");
                        access.insert(child, answer.access);
                        model.tokens.push(Token { family, exp, child: None, void: None, is_known_here: true, text });
                    }
                }
            }
            Act::Logout(pick) => {
                let index = pick % model.tokens.len();
                let family = model.tokens[index].family;
                let is_alive = model.now < model.tokens[index].exp;
                let was_seen = model.families[family].is_seen;
                let expected = model.judged(index, choices);
                let answer = world.authority.blacklist(&model.tokens[index].text.clone(), Client::default()).await;
                assert_eq!(answer.is_ok(), expected != Expected::Refused, "{number}: {index}: {answer:?}");
                if expected != Expected::Refused {
                    model.tokens[index].void = Some(model.tokens[index].void.unwrap_or(model.now));
                    model.end(family);
                }
                if is_alive && !was_seen {
                    model.families[family].is_seen = true;
                }
            }
        }
        // One live leaf (R1): of all that came from one login here, at most one is good for something new.
        for family in
            (0..model.families.len()).filter(|family| choices.blacklists || !model.families[*family].is_forked)
        {
            let by_us = |token: &&Token| token.family == family && token.is_known_here;
            let good = model.tokens.iter().filter(by_us).filter(|token| {
                token.child.is_none() && token.void.is_none() && model.now < token.exp && !model.families[family].ended
            });
            assert!(good.count() <= 1, "{number}: family {family} has two live leaves");
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn r1_r2_r4_any_schedule_ends_as_the_model_says(choices in choices(), acts in acts()) {
        runtime().block_on(run(choices, &acts));
    }
}
