//! Published vectors, and texts that Django itself made.

use super::stored::Stored;
use super::*;

/// Runs the vectors of one Wycheproof file; `derive` gets password, salt, iterations and room for the digest.
fn wycheproof(file: &str, derive: impl Fn(&[u8], &[u8], u32, &mut [u8])) -> usize {
    let file: serde_json::Value = serde_json::from_str(file).expect("JSON");
    let mut run = 0;
    for group in file["testGroups"].as_array().expect("groups") {
        for test in group["tests"].as_array().expect("tests") {
            let bytes = |name: &str| hex::decode(test[name].as_str().expect("hex")).expect("hex");
            let number = |name: &str| test[name].as_u64().expect("number");
            let rounds = u32::try_from(number("iterationCount")).expect("small");
            let mut digest = vec![0; usize::try_from(number("dkLen")).expect("small")];
            derive(&bytes("password"), &bytes("salt"), rounds, &mut digest);
            let valid = test["result"] == "valid";
            assert_eq!(digest == bytes("dk"), valid, "tcId {}", test["tcId"]);
            run += 1;
        }
    }
    run
}

#[test]
fn w1_wycheproof_pbkdf2_hmac_sha256() {
    let file = include_str!("../../../../testdata/wycheproof/pbkdf2_hmacsha256_test.json");
    let run = wycheproof(file, pbkdf2::pbkdf2_hmac::<sha2::Sha256>);
    assert_eq!(run, 60);
}

#[test]
fn w1_wycheproof_pbkdf2_hmac_sha1() {
    let file = include_str!("../../../../testdata/wycheproof/pbkdf2_hmacsha1_test.json");
    let run = wycheproof(file, pbkdf2::pbkdf2_hmac::<sha1::Sha1>);
    assert_eq!(run, 64);
}

/// The vectors whose passwords are text go through the types that logins go through.
#[test]
fn w1_wycheproof_pbkdf2_through_jobs() {
    let file = include_str!("../../../../testdata/wycheproof/pbkdf2_hmacsha256_test.json");
    wycheproof(file, |password, salt, rounds, digest| {
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, salt, rounds, digest);
        let Ok(text) = std::str::from_utf8(password) else { return };
        let password = Password::new(text);
        let job = Pbkdf2Job { password, salt: salt.to_vec(), rounds, expected: None }.derive();
        let shared = digest.len().min(32);
        assert_eq!(digest[..shared], job[..shared]);
    });
}

/// Made by Django 5.2.19 with small work factors: password, encoded text.
const MADE_BY_DJANGO: &[(&str, &str)] = &[
    ("naïve café 🔑", "pbkdf2_sha256$777$9vh04vXMhcwCcqaYtJ3AeG$PwMZ3WJaezXnhrUhOkg7DxmwJ8vZRJ6XRFiPb7yGY0M="),
    ("naïve café 🔑", "pbkdf2_sha1$777$dxSJ0H3XD5pTL1gi5hKBLB$34gWBuWbpdDkx8FtMfMvdrijZS8="),
    (
        "naïve café 🔑",
        "argon2$argon2id$v=19$m=64,t=3,p=4$R0FUSkZ6Q2NWdTBESUkzblZlZWRQMA$BiuK6g+8V2bGonQiAUBUa/x7z2kq/rXkKPD2Yi/GcZA",
    ),
    ("naïve café 🔑", "bcrypt_sha256$$2b$05$5w8GBAjChMMB/bgVwINice7ZC.WkQU5IIR/Pr7VLfPZ7dOMShiKBi"),
    ("naïve café 🔑", "bcrypt$$2b$05$dAMDcjy3nsUpeN7hLqd1Iei2Tl1NmQudqOqTdYDgBQSAhMogT2N/2"),
    (
        "naïve café 🔑",
        "scrypt$64$ReYQz5fmhunjs4LhfeqzQT$4$3$BMx6ISnoehQ0bZ4afPoZlhXMUjNQw66mTXTlDFPBtBfvO6vJszz9lK1u6cHaoxEdPCRX/oa+kkU9d9LrzGycVg==",
    ),
    ("naïve café 🔑", "md5$hDd35YapnYcwnL76SK7bZK$8ccae55b13e503b6de5dacdac120a932"),
    (
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "pbkdf2_sha256$777$zcAG6Hc6GlFCcBDDBMVHtU$NBrWmqxslhihLyc9FYANNqPMI6NPR5o14T1A3EAs5Wo=",
    ),
    (
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "pbkdf2_sha1$777$37MZOWFjTR2PdYbwY3xCmO$mgWQ1FAAgF82omR0w0MZL9WEClg=",
    ),
    (
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "argon2$argon2id$v=19$m=64,t=3,p=4$VVpvazFYNzQ2YXIzZ0g3aUp0dzgyTw$MsbKXRzcFS6y72ybd1nBBMr6HpdGcnli7hnyGSYeQ+g",
    ),
    (
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "bcrypt_sha256$$2b$05$a.YeQX.Hjle1kSxjVWPE/.cGb74T.EdpMOukRsuERxERmCSje8z/u",
    ),
    (
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "bcrypt$$2b$05$tldfkFEUen5Fa2F3EtscfOZCV9ogDH./KlIo4UEJXrFeQKDJl/b/a",
    ),
    (
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "scrypt$64$pGwDSOBTulCGjuV7W5hH8Y$4$3$vp34cFDjBCStw+X2nFwgm4B9oyGKXWdzee17AecVCRApICEaCp/pPbdPSlAWgeSiIzX+dw3wi5Ys2Di4klq/oQ==",
    ),
    (
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "md5$DkvYiDMkvg1HUISPCs5b1A$60c86df2f9c28155fe9e7c50dc8b758b",
    ),
    ("", "pbkdf2_sha256$777$50oBzdfpL0uiQnYVsFi7tv$ibPw3ZbBNeV68rQQJSrXHd9Mmk0nRz26dmIEH1QYDOE="),
    ("", "pbkdf2_sha1$777$DTRZ649f4GO6WhJ19aJdz6$ykQ9vlpOTb40MMmbw33jyatnMoM="),
    (
        "",
        "argon2$argon2id$v=19$m=64,t=3,p=4$VThnYTJodE5saGhkSFhUOEowbTNQNA$VAfKPrGYbWIFjyGuAKaM+tv2OLb6RuwKYWpvI5PPJv8",
    ),
    ("", "bcrypt_sha256$$2b$05$ugeR4NGPNRkz4SUUgW5FKu4Ug8ierpiC5jDNkM3y2fufqAlmQYTpq"),
    ("", "bcrypt$$2b$05$sJcaDRJimATa1reHKeGtV.BscFi8v7wLwmr9zIQu.KBDeHw5CVhcO"),
    (
        "",
        "scrypt$64$TQlGbogmgEd717F4rnszIq$4$3$n+l2ZSEyvAyUOKUBGWSaS5IWThdtCaqtSTNsYuSyNB51blEllO1x8e07TQWydqAOQqbC3As56Os0K2MptLZ/ew==",
    ),
    ("", "md5$HmhM44NF3P5zv3jNrwalRO$8dbb24c31e2839c46ed86be3d865f608"),
    ("\0\0", "pbkdf2_sha256$777$G2CLeMNTAWUetsH6CBhAS9$tKD8nMn1fHrZfD6+tDEIcowzU3xAz0YWEFZK4RbgCY8="),
    ("\0\0", "pbkdf2_sha1$777$vZQmGZEy7C76gvA8n28Oiy$onGeAgSqKe1/oAeKizt2+hjd724="),
    (
        "\0\0",
        "argon2$argon2id$v=19$m=64,t=3,p=4$bmdhMjBYUVVxYmNRZ0VnUTFtZGZBZQ$Xh7FYd8KDYgBsDrxO/YLPZJkynnN1l62YnAnfPof9bg",
    ),
    ("\0\0", "bcrypt_sha256$$2b$05$lZGktptGW06GhT6XO0P5iuVlG.ntV9Ab9ink7S3gtDcZrm416goEe"),
    ("\0\0", "bcrypt$$2b$05$QVYVKpMRnaXxiVksMsAcqOLobDxGyfFbQWqPdNa38/7/RutvP0bta"),
    (
        "\0\0",
        "scrypt$64$zUIBd0WbfEzi3c7lIc5tzM$4$3$96yP9muOYeKAdnyqHmRAPCWxeerysSSsieasJ42t63rXmjyCBnZCOKNzHbQfqVvn0YX0QFQ81Ox7aJrA/rOW6Q==",
    ),
    ("\0\0", "md5$SGCxXVDBYAK7NYM7HKwT77$6c557ca35e18865de95bec8a0455d87c"),
    ("pass$word", "pbkdf2_sha256$777$8dwIfbjEbnwM7qjD5M7WEI$ck5WCVqidKiSmlBbPddgw4MA6/0QDUU6vqVImJ4lgbA="),
    ("pass$word", "pbkdf2_sha1$777$zEDhEHqmiGghyfq6dl66eU$g3/CfQE5TqfPQ09J+IxuCSboHRs="),
    (
        "pass$word",
        "argon2$argon2id$v=19$m=64,t=3,p=4$cVZWaFZkVnFKVXlRdklxOE5LRlRmaA$hGSw6RoDsv0RmFqazrJhS105SqQ4X0I3XrvZkH3FnkI",
    ),
    ("pass$word", "bcrypt_sha256$$2b$05$I8M.6EkTTHLtnIO7E27bhuK/KxMyS0IO6JslslrRR3X4KleMpjzr."),
    ("pass$word", "bcrypt$$2b$05$Xr//Zdi1wC53wTfFkEyH.uz4UzKFVRrIy1sphGrJtUbll5FYYGdui"),
    (
        "pass$word",
        "scrypt$64$PajXghsSX1yMk5FZb9sH7i$4$3$1XGL7QsxaLTdBoo9oI+vVNcGk89gyfs6gazq1geGnDCz64WqoJGi5p+/5M4hkGeCBo+PNsiV688/JPwhcfBM/w==",
    ),
    ("pass$word", "md5$t9id3hlmOvJOOv4YYqGsiB$10ecd6ba4619c4d677e88e4d64c4c437"),
];

#[test]
fn w1_texts_made_by_django_match_and_no_other_password_does() {
    for (password, encoded) in MADE_BY_DJANGO {
        let Ok(stored) = Stored::parse(encoded, &Algorithm::ALL) else { panic!("{encoded}") };
        assert_eq!(stored.encode(), *encoded);
        let matches = |password: &str| {
            let digest = stored.work.derive(&Password::new(password), &stored.salt).expect("memory");
            *digest == stored.digest
        };
        assert!(matches(password), "{encoded}");
        if password.len() < 72 {
            assert!(!matches(&format!("{password}x")), "{encoded}");
        }
    }
}

/// Each hasher's text for `naïve café` with a fixed salt, verified by Django 5.2.19 (`check_password`).
#[test]
fn w1_texts_made_here_are_those_django_accepted() {
    let factors = WorkFactors {
        pbkdf2_sha256_iterations: 777,
        pbkdf2_sha1_iterations: 777,
        argon2_memory_cost: 64,
        argon2_parallelism: 4,
        bcrypt_sha256_rounds: 4,
        bcrypt_rounds: 4,
        scrypt_work_factor: 64,
        ..WorkFactors::default()
    };
    let hashers = Hashers::new(Algorithm::ALL.to_vec(), factors).expect("valid");
    let accepted = [
        "pbkdf2_sha256$777$WzlaTjVoIUyELEpI8ua3bm$l7msuLXxRMco1hsftiA4D+8dnk4Z5qe+XidZ/KSj1UM=",
        "pbkdf2_sha1$777$WzlaTjVoIUyELEpI8ua3bm$lDZzUBoblSyUy2CJo/T22IGqGv0=",
        "argon2$argon2id$v=19$m=64,t=2,p=4$V3psYVRqVm9JVXlFTEVwSTh1YTNibQ$j3aa9g/QyW/PFmrMWHB7G3vYo3BrvKvZw02izZLv2+o",
        "bcrypt_sha256$$2b$04$.OeNDfyiIxG3OCbMTTvhYe5ClKr3K13Oc7rFdmOCq96qZqHBcaCJe",
        "bcrypt$$2b$04$.OeNDfyiIxG3OCbMTTvhYemqlDQsnwc1b3eFndIaook3K/PyhEV52",
        "scrypt$64$WzlaTjVoIUyELEpI8ua3bm$8$5$A4S3ZvpF2mrgfJb6QUH7q8JdS0Ru2KxmDprNr05LscVWaXMn6EVNKNArhvNon9t4JearAx65kofIkNV74JjZmw==",
    ];
    for (algorithm, text) in Algorithm::ALL.into_iter().zip(accepted) {
        let entropy = SaltEntropy::new(std::array::from_fn(|index| u8::try_from(index * 7 + 1).expect("small")));
        let made = hashers.encode_with(algorithm, &Password::new("naïve café"), entropy);
        assert_eq!(made.as_deref(), Ok(text));
    }
}

/// bcrypt 5.0 gives every prefix the same digest, counts a NUL as a byte, and ignores nothing up to 72 bytes.
#[test]
fn w1_bcrypt_inputs_are_taken_as_bcrypt_5_takes_them() {
    let seventy_one = "a".repeat(71);
    let cases = [
        ("pw", "$2a$04$abcdefghijklmnopqrstuuyvPXIbu7xe6/CED2DzX8z6Si09MlzlW"),
        ("pw", "$2b$04$abcdefghijklmnopqrstuuyvPXIbu7xe6/CED2DzX8z6Si09MlzlW"),
        ("pw", "$2x$04$abcdefghijklmnopqrstuuyvPXIbu7xe6/CED2DzX8z6Si09MlzlW"),
        ("pw", "$2y$04$abcdefghijklmnopqrstuuyvPXIbu7xe6/CED2DzX8z6Si09MlzlW"),
        (&seventy_one, "$2b$04$abcdefghijklmnopqrstuuMCu.k1vM/ywQwiONaEn3oEMlZoCVBd6"),
        ("", "$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq"),
        ("\0", "$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq"),
    ];
    let factors = WorkFactors { bcrypt_rounds: 4, ..WorkFactors::default() };
    let hashers = Hashers::new(vec![Algorithm::Bcrypt], factors).expect("valid");
    for (password, text) in cases {
        let stored = format!("bcrypt${text}");
        let verdict = hashers.job(Password::new(password), Some(&stored), SaltEntropy::new([0; 32])).run();
        assert_eq!(verdict, Verdict { matches: true, must_update: false, refused: None }, "{stored}");
    }
}
