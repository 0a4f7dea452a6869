//! Whether an object still has every field as it was applied. What others added does not count (another server-side apply
//! would not take it away either), nor do quantities that the API server wrote in another way.

use serde_json::Value;

/// Whether everything in `wanted` is in `live`.
pub(super) fn holds(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().all(|(key, wanted)| match live.get(key) {
            Some(live) => holds(wanted, live),
            None => is_empty(wanted),
        }),
        (Value::Array(wanted), Value::Array(live)) if wanted.iter().all(Value::is_object) => {
            let mut rest = live.iter();
            wanted.iter().all(|wanted| rest.any(|live| holds(wanted, live)))
        }
        (Value::Array(wanted), Value::Array(live)) => wanted == live,
        (Value::String(wanted), Value::String(live)) => wanted == live || same_quantity(wanted, live),
        _ => wanted == live,
    }
}

/// The API server drops what is empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// `0.5` and `500m`, `1024Mi` and `1Gi` are the same.
fn same_quantity(left: &str, right: &str) -> bool {
    quantity(left).is_some_and(|left| quantity(right) == Some(left))
}

/// A quantity in thousandths. `None`: not a quantity, or one finer than that.
fn quantity(text: &str) -> Option<i128> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let thousandths: i128 = match suffix {
        "m" => 1,
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() > 18 || fraction.len() > 9 {
        return None;
    }
    let scale = 10i128.pow(u32::try_from(fraction.len()).ok()?);
    let scaled = format!("{whole}{fraction}").parse::<i128>().ok()? * thousandths;
    (scaled % scale == 0).then_some(scaled / scale)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_add_is_no_drift_and_what_they_change_is() {
        assert!(!holds(&json!(["a"]), &json!(["a", "b"])), "a list of plain values is one value");
        let wanted = json!({"spec": {"replicas": 3, "list": [{"name": "a"}], "empty": {}}});
        for more in [
            json!({"spec": {"replicas": 3, "list": [{"name": "a", "more": 1}], "status": 1}}),
            json!({"spec": {"replicas": 3, "list": [{"name": "z"}, {"name": "a"}]}, "status": 1}),
        ] {
            assert!(holds(&wanted, &more), "{more}");
        }
        for changed in [
            json!({"spec": {"replicas": 4, "list": [{"name": "a"}]}}),
            json!({"spec": {"replicas": 3, "list": []}}),
            json!({"spec": {"replicas": 3, "list": [{"name": "b"}]}}),
            json!({"spec": {"list": [{"name": "a"}]}}),
        ] {
            assert!(!holds(&wanted, &changed), "{changed}");
        }
    }

    #[test]
    fn a_quantity_written_in_another_way_is_no_drift() {
        for (wanted, live) in [("0.5", "500m"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("1000m", "1"), ("2", "2")] {
            assert!(holds(&wanted.into(), &live.into()), "{wanted} and {live}");
        }
        for (wanted, live) in [("1", "2"), ("1Gi", "1G"), ("", "0"), ("abc", "abd"), ("1", "1x")] {
            assert!(!holds(&wanted.into(), &live.into()), "{wanted} and {live}");
        }
    }
}
