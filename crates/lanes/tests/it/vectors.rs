//! Published vectors, each on every path.

use std::num::NonZeroU32;

use countersign_lanes::{Batch, Job, Lanes, MAX_WIDTH};

use crate::every_path;

struct Vector {
    name: String,
    password: Vec<u8>,
    salt: Vec<u8>,
    rounds: NonZeroU32,
    key: Vec<u8>,
    valid: bool,
}

impl Vector {
    fn derive(&self, lanes: Lanes) -> Vec<u8> {
        let mut key = vec![0; self.key.len()];
        lanes.derive(&self.password, &self.salt, self.rounds, &mut key);
        key
    }
}

/// Wycheproof's PBKDF2-HMAC-SHA256: empty, long and binary passwords, keys of 16 to 65 bytes, up to 80,000 rounds.
fn wycheproof() -> Vec<Vector> {
    let file = include_str!("../../../../testdata/wycheproof/pbkdf2_hmacsha256_test.json");
    let file: serde_json::Value = serde_json::from_str(file).expect("JSON");
    let groups = file["testGroups"].as_array().expect("groups").iter();
    let tests = groups.flat_map(|group| group["tests"].as_array().expect("tests"));
    let vectors = tests.map(|test| {
        let bytes = |name: &str| hex::decode(test[name].as_str().expect("hex")).expect("hex");
        let rounds = test["iterationCount"].as_u64().and_then(|rounds| u32::try_from(rounds).ok());
        let key = bytes("dk");
        assert_eq!(Some(key.len() as u64), test["dkLen"].as_u64());
        Vector {
            name: format!("tcId {}", test["tcId"]),
            password: bytes("password"),
            salt: bytes("salt"),
            rounds: rounds.and_then(NonZeroU32::new).expect("a number of rounds"),
            key,
            valid: test["result"] == "valid",
        }
    });
    vectors.collect()
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of thousands of rounds")]
fn wycheproof_agrees_on_every_path() {
    let vectors = wycheproof();
    assert_eq!(vectors.len(), 60);
    for (path, lanes) in every_path() {
        for vector in &vectors {
            assert_eq!(vector.derive(lanes) == vector.key, vector.valid, "{} on {path}", vector.name);
        }
    }
}

/// All vectors in one batch: neighbours with other rounds, lengths and blocks do not disturb each other.
#[test]
#[cfg_attr(miri, ignore = "hundreds of thousands of rounds")]
fn wycheproof_agrees_side_by_side() {
    let vectors = wycheproof();
    for (path, lanes) in every_path() {
        let mut keys: Vec<Vec<u8>> = vectors.iter().map(|vector| vec![0; vector.key.len()]).collect();
        let places = vectors.iter().zip(&mut keys).flat_map(|(vector, key)| {
            let blocks = (1..).map(|index| NonZeroU32::new(index).expect("from one"));
            key.chunks_mut(32).zip(blocks).map(move |(place, index)| (vector, index, place))
        });
        let mut places = places.peekable();
        let mut batch = Batch::new(lanes, MAX_WIDTH);
        while places.peek().is_some() || !batch.is_empty() {
            let room = batch.room();
            for (vector, index, place) in places.by_ref().take(room) {
                let job = Job::for_block(&vector.password, &vector.salt, vector.rounds, index);
                batch.insert(job, place).expect("there is room");
            }
            batch.advance(1_000);
            for (place, block) in batch.take_finished() {
                place.copy_from_slice(&block.expose()[..place.len()]);
            }
        }
        drop(batch);
        for (vector, key) in vectors.iter().zip(&keys) {
            assert_eq!(key == &vector.key, vector.valid, "{} on {path}", vector.name);
        }
    }
}

/// RFC 7914 §11: the two vectors of PBKDF2-HMAC-SHA-256, 64 bytes each.
#[test]
#[cfg_attr(miri, ignore = "tens of thousands of rounds")]
fn rfc_7914_agrees_on_every_path() {
    let vectors = [
        (
            ("passwd", "salt", 1),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
             49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
        ),
        (
            ("Password", "NaCl", 80_000),
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56\
             a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
        ),
    ];
    for ((password, salt, rounds), key) in vectors {
        for (path, lanes) in every_path() {
            let mut derived = [0; 64];
            let rounds = NonZeroU32::new(rounds).expect("not zero");
            lanes.derive(password.as_bytes(), salt.as_bytes(), rounds, &mut derived);
            assert_eq!(hex::encode(derived), key, "{path}");
        }
    }
}

/// Django 5.2 `PBKDF2PasswordHasher` at its own number of rounds; the digest is that of `hashlib.pbkdf2_hmac`.
#[test]
#[cfg_attr(miri, ignore = "a million rounds")]
fn a_million_rounds_agree_on_the_chosen_path() {
    let rounds = NonZeroU32::new(1_000_000).expect("not zero");
    let mut digest = [0; 32];
    Lanes::detect().derive("naïve café 🔑".as_bytes(), b"WzlaTjVoIUyELEpI8ua3bm", rounds, &mut digest);
    assert_eq!(hex::encode(digest), "6604671821c4b535737e53f6278957c3b562ff6ce0d8b242da42288dc80e77a5");
}
