//! What a trained model promises, on a small one.

use super::train::{Example, HeldOut, Plan, train};
use super::*;
use proptest::prelude::*;

fn examples() -> Vec<Example> {
    let patterns = [
        ("window # opened for guest alice", Class::Info),
        ("job # completed in # ms, 0 errors", Class::Info),
        ("listening on port #", Class::Info),
        ("retry # of request, slow response", Class::Warning),
        ("disk usage above # percent", Class::Warning),
        ("kernel panic on cpu #", Class::Critical),
        ("data corruption found in block #", Class::Critical),
    ];
    let mut examples = Vec::new();
    for round in 0..12 {
        for (pattern, class) in patterns {
            let text = format!("{} unit{round}", pattern.replace('#', &(round * 7).to_string()));
            examples.push(Example { text, severity: 0, class });
        }
    }
    examples
}

fn small() -> Model {
    let plan =
        Plan { name: "small".into(), sources: vec![], base: None, held_out: HeldOut::Shapes };
    train(&plan, &examples()).unwrap()
}

#[test]
fn a_model_learns_its_examples() {
    let model = small();
    let right = |e: &&Example| model.judge(&e.text, 0).class == e.class;
    assert_eq!(examples().iter().filter(right).count(), examples().len());
}

#[test]
fn the_same_examples_give_the_same_file() {
    assert_eq!(file::encode(&small()).unwrap(), file::encode(&small()).unwrap());
}

#[test]
fn examples_of_one_class_are_refused() {
    let plan = Plan { name: "one".into(), sources: vec![], base: None, held_out: HeldOut::Shapes };
    assert!(train(&plan, &examples()[..1]).is_err());
}

#[test]
fn further_training_keeps_what_the_examples_do_not_speak_of() {
    let base = small();
    let plan =
        Plan { name: "more".into(), sources: vec![], base: Some(&base), held_out: HeldOut::Shapes };
    let more: Vec<Example> =
        [("turbine idle", Class::Info), ("turbine overspeed", Class::Critical)]
            .into_iter()
            .flat_map(|(text, class)| {
                (0..4).map(move |n| Example { text: format!("{text} {n}"), severity: 0, class })
            })
            .collect();
    let model = train(&plan, &more).unwrap();
    assert_eq!(model.judge("turbine overspeed 9", 0).class, Class::Critical);
    assert_eq!(model.judge("kernel panic on cpu 3", 0).class, Class::Critical);
}

#[test]
fn a_file_gives_the_same_model_back() {
    let model = small();
    let read = file::decode(&file::encode(&model).unwrap(), None).unwrap();
    for example in examples() {
        assert_eq!(read.judge(&example.text, 0), model.judge(&example.text, 0));
    }
    assert_eq!(read.report(), model.report());
}

/// Scenario: a key is demanded, and the file is signed by it, by another, by nobody, or changed.
/// Promise: only the first is read; without a demand a signature does not matter.
#[test]
fn a_model_that_the_demanded_key_did_not_sign_is_refused() {
    let (own, other) = (sign::testing::key(), sign::testing::key());
    let key = own.public().unwrap();
    let plain = file::encode(&small_once()).unwrap();
    let signed = own.sign(plain.clone());
    assert!(file::decode(&signed, Some(&key)).is_ok());
    assert!(file::decode(&signed, None).is_ok());
    let refused = |bytes: &[u8]| file::decode(bytes, Some(&key)).unwrap_err();
    assert!(matches!(refused(&plain), file::FileError::Unsigned));
    assert!(matches!(refused(&other.sign(plain.clone())), file::FileError::Signature));
    let mut broken = signed.clone();
    broken[signed.len() - 1] ^= 1;
    assert!(matches!(refused(&broken), file::FileError::Signature));
    assert!(matches!(refused(&signed[..signed.len() - 1]), file::FileError::Length));
}

#[test]
fn the_embedded_model_is_whole_and_knows_plain_cases() {
    let model = Model::embedded().unwrap();
    for (text, class) in [
        ("fatal exception in ticket gate, data lost", Class::Critical),
        ("ferry departed with 212 passengers", Class::Info),
        ("connection timed out, retrying in 5 seconds", Class::Warning),
    ] {
        assert_eq!(model.judge(text, 0).class, class, "{text}");
    }
}

#[test]
fn words_of_states_tell_something_and_names_do_not() {
    let model = Model::embedded().unwrap();
    for word in ["failed", "refused", "crashed", "corrupt", "completed", "started", "timeout"] {
        assert!(model.is_telling(word.as_bytes()), "{word}");
    }
    for word in ["mira", "tomas", "north", "of", "<*>", ""] {
        assert!(!model.is_telling(word.as_bytes()), "{word}");
    }
}

/// Scenario: the tokens an explanation names are taken out of messages of all classes.
/// Promise: the probability of the class falls in at least 95 of 100.
#[test]
fn without_the_named_tokens_the_class_is_less_probable() {
    let model = Model::embedded().unwrap();
    let (mut asked, mut fell) = (0, 0);
    for example in crate::samples::MESSAGES {
        let verdict = model.judge(example, 0);
        let named = model.explain(example, 0, verdict.class);
        if named.is_empty() {
            continue;
        }
        let index = usize::from(verdict.class.code()) - 1;
        let rest = model.judge_without(example, 0, &named);
        asked += 1;
        fell += usize::from(rest.probabilities[index] < verdict.confidence);
    }
    assert!(asked >= 40, "{asked} messages have named tokens");
    assert!(fell * 100 >= asked * 95, "{fell} of {asked}");
}

proptest! {
    #[test]
    fn any_message_gets_probabilities_that_sum_to_one(message in "\\PC{0,300}", severity in 0_u8..25) {
        let verdict = Model::embedded().unwrap().judge(&message, severity);
        let sum: f32 = verdict.probabilities.iter().sum();
        prop_assert!((sum - 1.0).abs() < 1e-4);
    }

    #[test]
    fn one_flipped_bit_makes_a_file_unreadable(at in 0_usize..4096, bit in 0_u8..8) {
        let mut bytes = file::encode(&small_once()).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        prop_assert!(file::decode(&bytes, None).is_err());
    }

    #[test]
    fn foreign_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [b"BSMMODEL".as_slice(), &bytes].concat();
        prop_assert!(file::decode(&bytes, None).is_err());
    }
}

fn small_once() -> Model {
    static SMALL: LazyLock<Model> = LazyLock::new(small);
    SMALL.clone()
}
