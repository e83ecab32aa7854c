//! For every answer: one reply for each request, and no success that the answer did not report.

use proptest::prelude::*;

use super::*;

/// The answer to a part, and how it is altered on the way.
#[derive(Clone, Debug)]
struct PartFate {
    status: u16,
    body: Value,
    copies: usize,
    /// A second answer with the same ID, which is never a success.
    beside: Option<Value>,
}

fn bodies() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!({"@odata.context": "x", "value": true})),
        1 => Just(json!({"value": false})),
        1 => Just(Value::Null),
        1 => Just(json!("PGh0bWw+")),
        1 => Just(json!([[], {"responses": []}])),
        1 => Just(json!({"error": {"code": "X", "innerError": {"request-id": OWN_ID}}})),
    ]
}

fn fates() -> impl Strategy<Value = Vec<PartFate>> {
    let status = prop_oneof![4 => Just(200_u16), 1 => Just(204), 1 => Just(0), 2 => 100..700_u16];
    let copies = prop_oneof![8 => Just(1_usize), 1 => Just(0), 1 => Just(2)];
    let beside = prop_oneof![6 => Just(None), 1 => (300..700_u16).prop_map(|status| Some(json!({"status": status}))),
        1 => Just(Some(json!({"status": []}))), 1 => Just(Some(json!({"status": 200, "status": "x"})))];
    let fate = (status, bodies(), copies, beside).prop_map(|(status, body, copies, beside)| PartFate {
        status,
        body,
        copies,
        beside,
    });
    prop::collection::vec(fate, 1..=20)
}

impl PartFate {
    fn answers(&self, id: &Value) -> Vec<Value> {
        let own = json!({"id": id, "status": self.status, "body": self.body});
        let mut answers = vec![own; self.copies];
        answers.extend(self.beside.clone().map(|mut beside| {
            beside["id"] = id.clone();
            beside
        }));
        answers
    }

    /// Whether its only answer is a success from Graph.
    fn succeeded(&self) -> bool {
        let yes = self.body.is_null() || self.body.get("value") == Some(&json!(true));
        self.copies > 0 && self.beside.is_none() && (200..300).contains(&self.status) && yes
    }
}

/// The answer to a batch in which some bytes are replaced.
fn astray() -> impl Strategy<Value = Vec<u8>> {
    let whole =
        json!({"responses": [done("1"), error("2", 429, "TooManyRequests"), {"id": 3, "status": 204}]});
    let whole = whole.to_string().into_bytes();
    let length = whole.len();
    prop::collection::vec((0..length, any::<u8>()), 1..4).prop_map(move |changes| {
        let mut bytes = whole.clone();
        changes.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        bytes
    })
}

/// Any JSON, in which some keys are names that matter.
fn garbage() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1..700_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof!["[0-9]{1,2}", ".{0,8}"].prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let name =
            prop_oneof!["id", "status", "headers", "body", "error", "innerError", "Retry-After", ".{0,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn only_what_succeeded_is_a_success(
        (fates, lot) in fates().prop_flat_map(|fates| {
            let places: Vec<usize> = (0..fates.len() * 3).collect();
            (Just(fates), Just(places).prop_shuffle())
        }),
        numbers in any::<bool>(),
    ) {
        let id = |place: usize| if numbers { json!(place + 1) } else { json!((place + 1).to_string()) };
        let all = fates.iter().enumerate().flat_map(|(place, fate)| fate.answers(&id(place)));
        let mut all: Vec<(usize, Value)> = lot.into_iter().zip(all).collect();
        all.sort_by_key(|(lot, _)| *lot);
        let responses: Vec<Value> = all.into_iter().map(|(_, answer)| answer).collect();
        let replies = judged(fates.len(), responses.into());
        for (fate, reply) in fates.iter().zip(&replies) {
            prop_assert_eq!(is_done(reply), fate.succeeded(), "{:?} became {:?}", fate, reply);
            if fate.copies == 0 && fate.beside.is_none() {
                doubt(reply);
            }
        }
    }

    #[test]
    fn no_garbage_makes_it_panic(parts in prop::collection::vec(garbage(), 0..8), count in 0..=20_usize) {
        judged(count, parts.into());
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop_oneof![astray(), prop::collection::vec(any::<u8>(), 0..400)],
        status in 200..600_u16,
        count in 0..=20_usize,
    ) {
        let replies = replies(count, status, &graphs(), BodyResult::Bytes(bytes));
        if status >= 300 {
            prop_assert!(!replies.iter().any(is_done));
        }
    }
}
