//! Units, shares, spans and dates: exact, comparable, readable.

use crate::inputs::value;

#[test]
fn numbers_are_decimals() {
    assert_eq!(value("0.1 + 0.2 == 0.3"), "true");
    assert_eq!(value("0.1 + 0.2"), "0.3");
    assert_eq!(value("type_of(0.8)"), "decimal");
    assert_eq!(value("1 / 3.0"), "0.3333333333333333333333333333");
}

#[test]
fn sizes_read_well_and_are_exact() {
    for (expression, expected) in [
        ("5.GB", "5 GB"),
        ("2.5.GiB", "2.68 GB"),
        ("2.5.GiB.B", "2684354560"),
        ("500.MB + 1.5.GB", "2 GB"),
        ("1.GB - 1.kB == 999999.kB", "true"),
        ("1.GB - 2.GB", "-1 GB"),
        ("3 * 1.5.GB", "4.5 GB"),
        ("10.GB * 80.percent", "8 GB"),
        ("1.GB / 4", "250 MB"),
        ("1.GB / 500.MB", "2"),
        ("1.GiB > 1.GB", "true"),
        ("1.TB >= 1000.GB", "true"),
        ("min(1.GB, 2.GB)", "1 GB"),
        ("1500.B.kB", "1.5"),
        ("999.B", "999 B"),
        ("-(1.GB)", "-1 GB"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn shares_read_well() {
    for (expression, expected) in [
        ("80.percent", "80%"),
        ("12.5.percent", "12.5%"),
        ("80.percent > 12.5.percent", "true"),
        ("50.percent * 50.percent", "25%"),
        ("80.percent.number", "80"),
        ("100.percent / 3", "33.3%"),
        ("sim.share", "20%"),
        ("sim.share >= 20.percent", "true"),
        ("sim.share > 20.percent", "false"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn spans_read_well() {
    for (expression, expected) in [
        ("3.days", "3 days"),
        ("1.day", "1 day"),
        ("36.hours", "1.5 days"),
        ("2.hours + 30.minutes", "2.5 hours"),
        ("1.week == 7.days", "true"),
        ("90.seconds.minutes", "1.5"),
        ("1.days / 2", "12 hours"),
        ("1.day / 1.hour", "24"),
        ("0.5.hours", "30 minutes"),
        ("1.day > 23.hours", "true"),
        ("-(1.day)", "-1 day"),
        ("0.seconds", "0 seconds"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn dates_compare_and_move() {
    for (expression, expected) in [
        ("sim.cycle.start", "2026-11-01"),
        ("sim.cycle.end - 1.day", "2026-11-30"),
        ("sim.cycle.end - sim.cycle.start", "30 days"),
        ("now().date", "2026-11-22"),
        ("now().weekday", "sun"),
        ("now().local", "2026-11-22 07:05"),
        ("now().time >= \"07:00\"", "true"),
        ("now().local + 2.hours", "2026-11-22 09:05"),
        ("now().local < sim.cycle.end", "true"),
        ("date(\"2026-12-31\") > now().date", "true"),
        ("date(\"2024-02-28\") + 1.day", "2024-02-29"),
        ("(now().local + 1.day).weekday", "mon"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    for expression in [
        "9223372036854775807 + 1",
        "9223372036854775807.TB * 9223372036854775807",
        "9223372036854775807.days",
        "9223372036854775807.weeks",
        "1.GB / 0",
        "1.GB / 0.GB",
        "1.0 / 0",
        "1 / 0",
        "1.day / 0",
        "date(\"2026-01-01\") + 99999999.days * 100",
        "79228162514264337593543950335.0 * 10",
        "100.percent * 79228162514264337593543950335.0",
    ] {
        assert!(value(expression).starts_with("r.rhai:1:"), "{expression} gives {}", value(expression));
    }
}

#[test]
fn comparisons_of_different_things_are_errors_not_false() {
    for (expression, expected) in [
        ("sim.used > 5", "`>` cannot compare DataSize with a plain number"),
        ("sim.share >= 0.8", "`>=` cannot compare Percent with a plain number"),
        ("3 < 1.day", "`<` cannot compare a plain number with Span"),
        ("sim.used == 5", "`==` cannot compare DataSize with a plain number"),
        ("0.8 != sim.share", "`!=` cannot compare Percent with a plain number"),
        ("sim.used < 3.days", "`<` cannot compare DataSize with Span"),
        ("sim.forecast.exhausted_at > 5", "the left side of `>` is absent"),
        ("5.GB <= sim.forecast.exhausted_at", "the right side of `<=` is absent"),
        ("sim.cycle.end > \"2026-12-01\"", "a date is written date(\"2026-11-22\")"),
        ("5.GB + 1", "`+` does not work on DataSize, number"),
        ("sim.cycle.end + 5.hours", "a date moves by whole days only"),
    ] {
        let given = value(expression);
        assert!(given.contains(expected), "{expression} gives {given}");
    }
}

#[test]
fn money_is_exact_and_of_one_currency() {
    for (expression, expected) in [
        ("12.50.EUR", "12.50 EUR"),
        ("5.EUR", "5.00 EUR"),
        ("100.JPY", "100 JPY"),
        ("1.5.KWD", "1.500 KWD"),
        ("money(\"12.5\", \"CNY\")", "12.50 CNY"),
        ("money(12, \"USD\")", "12.00 USD"),
        ("money(0.1, \"USD\") + money(0.2, \"USD\") == 0.3.USD", "true"),
        ("12.50.EUR + 2.50.EUR", "15.00 EUR"),
        ("1.EUR - 2.EUR", "-1.00 EUR"),
        ("-(1.EUR)", "-1.00 EUR"),
        ("3 * 1.99.EUR", "5.97 EUR"),
        ("3.99.EUR * 0.5", "2.00 EUR"),
        ("(1.99.EUR * 0.5).amount", "0.995"),
        ("10.EUR * 19.percent", "1.90 EUR"),
        ("10.EUR / 4", "2.50 EUR"),
        ("10.EUR / 4.EUR", "2.5"),
        ("0.0049.EUR", "0.0049 EUR"),
        ("12.50.EUR.currency", "EUR"),
        ("2.EUR > 1.99.EUR", "true"),
        ("1.50.EUR == 1.5.EUR", "true"),
        ("1.EUR != 2.EUR", "true"),
        ("min(2.EUR, 1.EUR)", "1.00 EUR"),
        ("max(2.EUR, 1.EUR)", "2.00 EUR"),
        ("2.EUR in [1.EUR, 2.EUR]", "true"),
        ("[1.EUR, 2.EUR] == [1.EUR, 2.EUR]", "true"),
        ("1.5.GB.GB * 2.EUR", "3.00 EUR"),
        ("1.EUR == 1.GB", "false"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn money_is_never_mixed_and_never_a_bare_number() {
    for op in ["+", "-", "/", "<", "<=", ">", ">=", "==", "!="] {
        let said = value(&format!("1.EUR {op} 1.USD"));
        assert!(said.contains(&format!("`{op}` of EUR and USD: nothing here knows")), "{op}: {said}");
    }
    for expression in [
        "min(1.EUR, 1.USD)",
        "max(1.EUR, 1.USD)",
        "[1.EUR] == [1.USD]",
        "1.EUR in [1.USD]",
        "#{ a: 1.EUR } == #{ a: 1.USD }",
    ] {
        let said = value(expression);
        let either = said.contains("of EUR and USD: nothing") || said.contains("of USD and EUR: nothing");
        assert!(either, "{expression}: {said}");
    }
    for (expression, words) in [
        ("1.EUR > 1", "a number needs a currency: 5.EUR"),
        ("1.EUR == 1", "a number needs a currency: 5.EUR"),
        ("1.5 != 1.EUR", "a number needs a currency: 5.EUR"),
        ("1.EUR + 1", "a number needs a unit here, as in 5.EUR"),
        ("1.EUR * 1.EUR", "`*` does not work on Money, Money"),
        ("1.EUR + 1.GB", "`+` does not work on Money, DataSize"),
        ("5.XYZ", "a number has no property `XYZ`"),
        ("5.GBB", "did you mean `GB`?"),
        ("5.eur", "a number has no property `eur`"),
        ("money(1, \"eur\")", "there is no currency `eur`: write EUR"),
        ("money(1, \"EURO\")", "there is no currency `EURO`: write a code of three letters"),
        ("money(\"1e9\", \"EUR\")", "`1e9` is not an amount: write it as \"12.50\""),
        ("money(\"12,50\", \"EUR\")", "`12,50` is not an amount"),
        ("79228162514264337593543950335.EUR + 1.EUR", "does not fit"),
        ("1.EUR / 0", "does not fit"),
        ("sim.used.EUR", "DataSize has no property `EUR`"),
    ] {
        let said = value(expression);
        assert!(said.contains(words), "{expression}: {said}");
    }
}

#[test]
fn money_is_remembered() {
    use simbell_core::memory::Remembered;

    use crate::inputs::{ask, input, on_usage, sim};
    let outcome = ask(
        "fn on_usage(sim) { remember(\"m\", [12.50.EUR, 3.CNY]); }",
        &on_usage(),
        &input(Some(sim()), "en"),
    );
    let memory = outcome.memory.expect("it remembers");
    let both = vec![
        Remembered::Money("12.50".parse().expect("a number"), "EUR".to_owned()),
        Remembered::Money(3.into(), "CNY".to_owned()),
    ];
    assert_eq!(memory.0["m"], Remembered::List(both));
    let text = "fn on_usage(sim) { remember(\"m\", 1.EUR); remind(\"k\", `${recall(\"m\") + 1.EUR}`); }";
    assert_eq!(ask(text, &on_usage(), &input(Some(sim()), "en")).findings[0].text, "2.00 EUR");
}

#[test]
fn lists_are_sorted_by_units_and_by_an_order_of_ones_own() {
    for (expression, expected) in [
        ("[3.GB, 500.MB, 2.GB].order()", "[500 MB, 2 GB, 3 GB]"),
        ("[3.GB, 500.MB, 2.GB].order_desc()", "[3 GB, 2 GB, 500 MB]"),
        ("{ let l = [2.days, 36.hours]; l.sort(); l }", "[1.5 days, 2 days]"),
        ("{ let l = [5.percent, 80.percent]; l.sort_desc(); l }", "[80%, 5%]"),
        ("[2.EUR, 1.5.EUR].order()", "[1.50 EUR, 2.00 EUR]"),
        ("[date(\"2026-12-01\"), now().date].order()", "[2026-11-22, 2026-12-01]"),
        ("[2, 1.5, 1].order()", "[1, 1.5, 2]"),
        ("[\"b\", \"a\"].order()", "[\"a\", \"b\"]"),
        ("[true, false].order()", "[false, true]"),
        ("[].order()", "[]"),
        // A figure of any unit, a decimal, or the answer to "does it come first" will do.
        ("[1.GB, 3.GB, 2.GB].order_by(|a, b| b - a)", "[3 GB, 2 GB, 1 GB]"),
        ("[1.5, 1.2].order(|a, b| a - b)", "[1.2, 1.5]"),
        ("{ let l = [1.EUR, 2.EUR]; l.sort(|a, b| b - a); l }", "[2.00 EUR, 1.00 EUR]"),
        ("{ let l = [1, 3, 2]; l.sort_by(|a, b| a > b); l }", "[3, 2, 1]"),
        // What is equal stays in its order.
        ("[[1, 1], [0, 2], [1, 3], [0, 4]].order_by(|a, b| a[0] - b[0])", "[[0, 2], [0, 4], [1, 1], [1, 3]]"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn what_cannot_be_sorted_says_so() {
    for (expression, expected) in [
        ("[3.GB, 5].order()", "cannot compare"),
        ("[1.EUR, 2.USD].order()", "nothing here knows what one is worth in the other"),
        ("[1, ()].order()", "what is absent, `()`, has no place in an order"),
        ("[1, 2].order(|a, b| a.GB - b)", "does not work on"),
        ("[1, 2].order(|a, b| throw \"no\")", "no"),
        ("[1, 2].order_by(|a, b| \"x\")", "`order_by` needs a figure from its function, not string"),
        ("{ let l = [1, 2]; l.sort(|a, b| ()); l }", "`sort` needs a figure from its function, not ()"),
    ] {
        let said = value(expression);
        assert!(said.contains(expected) && said.contains(".rhai:1:"), "{expression}: {said}");
    }
}
