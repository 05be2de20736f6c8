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
