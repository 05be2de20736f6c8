//! Numbers as people dial them.

use proptest::prelude::*;

use super::NumberClass::*;
use super::*;

fn class(home: &str, number: &str) -> NumberClass {
    let caller = Caller { home: Some(home), visited: None };
    judge(Some(number), false, caller, &OwnNumbers::default()).class
}

fn party(home: &str, number: &str) -> Option<String> {
    let caller = Caller { home: Some(home), visited: None };
    judge(Some(number), false, caller, &OwnNumbers::default()).party
}

#[test]
fn numbers_as_dialled_by_home_networks() {
    for (home, number, expected) in [
        // Germany.
        ("26202", "0170 123 45 67", National),
        ("26202", "+49 (30) 123-456", National),
        ("26202", "004930123456", National),
        ("26202", "+43 1 234567", International),
        ("26202", "0043 1 234567", International),
        ("26202", "0800 1234567", TollFree),
        ("26202", "+498001234567", TollFree),
        ("26202", "00800 12345678", TollFree),
        ("26202", "0900 1 234567", Premium),
        ("26202", "0137 1234567", Premium),
        ("26202", "11833", Premium),
        ("26202", "+979123456789", Premium),
        ("26202", "22922", Short),
        ("26202", "110", Emergency),
        ("26202", "112", Emergency),
        ("26202", "#31#01701234567", National),
        ("26202", "*31#+4312345678", International),
        // China.
        ("46000", "13800138000", National),
        ("46000", "10086", Short),
        ("46000", "+8613800138000", National),
        ("46000", "0085223456789", International),
        ("46000", "8008101234", TollFree),
        ("46000", "120", Emergency),
        // The United States and Canada share a country code, with others.
        ("310260", "2125551234", National),
        ("310260", "1 212 555 1234", National),
        ("310260", "+1-416-555-1234", International),
        ("310260", "1 876 555 1234", International),
        ("310260", "+18005551234", TollFree),
        ("310260", "19005551234", Premium),
        ("310260", "5551234", National),
        ("310260", "011 44 20 7946 0000", International),
        ("310260", "911", Emergency),
        ("302720", "4165551234", National),
        ("302720", "2125551234", International),
        ("302720", "18885551234", TollFree),
        ("338050", "8765551234", National),
        ("338050", "+12125551234", International),
        // Russia and Kazakhstan share one, too.
        ("25001", "8 916 123 45 67", National),
        ("25001", "+77011234567", International),
        ("25001", "8 10 49 30 123456", International),
        ("40101", "+77011234567", National),
        ("40101", "+79161234567", International),
        // Without trunk prefix; with one of its own; with another international prefix.
        ("21401", "600123456", National),
        ("21401", "900123456", TollFree),
        ("21670", "06 20 123 4567", National),
        ("44010", "010 1 212 555 1234", International),
        ("44010", "0120 123 456", TollFree),
        ("44010", "090 1234 5678", National),
        ("27201", "01 800 1234", National),
        ("27201", "1800 123 456", TollFree),
        ("50501", "000", Emergency),
        ("50501", "0011 49 30 123456", International),
        ("65801", "22123", National),
        ("65801", "112", Emergency),
        // Satellites, and what is no country.
        ("26202", "+881612345678", International),
        ("26202", "+2101234567", Unknown),
        ("26202", "+0301234567", Unknown),
        // A home that nobody knows.
        ("99999", "10086", Short),
        ("99999", "0301234567", Unknown),
        ("99999", "112", Emergency),
    ] {
        assert_eq!(class(home, number), expected, "{number} dialled at {home}");
    }
}

#[test]
fn emergency_numbers_of_the_visited_country_count_too_and_nobody_calls_from_one() {
    let at = |visited| Caller { home: Some("26202"), visited: Some(visited) };
    let judged =
        |number, incoming, caller| judge(Some(number), incoming, caller, &OwnNumbers::default()).class;
    assert_eq!(judged("999", false, at("23410")), Emergency);
    assert_eq!(judged("999", false, at("20801")), Short);
    assert_eq!(judged("999", true, at("23410")), Short);
}

#[test]
fn what_is_no_number_is_unknown_and_nobody_is_withheld() {
    let hostile = [
        "",
        "*100#",
        "#",
        "+",
        "call me",
        "12a34",
        "\u{202e}12345",
        "１２３４５６７",
        "12345;ext=1",
        "12345\n",
        "'; DROP TABLE call; --",
        "12345678901234567890123",
        "+1234567890123456",
    ];
    for number in
        hostile.into_iter().map(str::to_owned).chain(["1".repeat(500), "+".repeat(500), " ".repeat(70)])
    {
        let judged =
            judge(Some(&number), false, Caller { home: Some("262"), visited: None }, &OwnNumbers::default());
        assert_eq!(judged, Judged { class: Unknown, party: None }, "{number:?}");
    }
    let nobody = |incoming| judge(None, incoming, Caller::default(), &OwnNumbers::default());
    assert_eq!((nobody(true).class, nobody(false).class), (Withheld, Unknown));
    assert_eq!(nobody(true).party, None);
}

#[test]
fn one_party_is_one_however_it_is_dialled() {
    let german: Vec<_> = ["0170 1234567", "+491701234567", "00491701234567", "#31#0170-1234567"]
        .into_iter()
        .map(|number| party("26202", number))
        .collect();
    assert_eq!(german, vec![Some("+491701234567".to_owned()); 4]);
    assert_eq!(party("310260", "2125551234"), party("310260", "+1 (212) 555-1234"));
    assert_ne!(party("26202", "0170 1234567"), party("26202", "0170 1234568"));
    assert_eq!(party("46000", "10086").as_deref(), Some("10086"));
}

#[test]
fn the_owners_word_wins_over_the_plan_but_not_over_emergencies() {
    let own = |text: &str, class| (text.parse::<NumberPattern>().unwrap(), class);
    let own = OwnNumbers(vec![
        own("+4930123456", Free),
        own("22*", Free),
        own("+43*", National),
        own("0900123*", International),
        own("11*", Free),
    ]);
    let caller = Caller { home: Some("26202"), visited: None };
    for (number, expected) in [
        ("030 123456", Free),
        ("+4930123456", Free),
        ("030 1234567", National),
        ("22922", Free),
        ("0043 1 234567", National),
        ("+41 1 2345678", International),
        ("0900 1234", International),
        ("110", Emergency),
        ("11833", Free),
    ] {
        assert_eq!(judge(Some(number), false, caller, &own).class, expected, "{number}");
    }
    for bad in ["", "*", "+", "+*", "22**", "*22", "2 2", "abc", "٣", &"1".repeat(23), "22#"] {
        assert_eq!(bad.parse::<NumberPattern>(), Err(NumberPatternError), "{bad:?}");
    }
    assert_eq!(format!("{:?}", own.0[0].0), "NumberPattern(…)");
}

#[test]
fn words_are_read_back() {
    for class in NumberClass::ALL {
        assert_eq!(NumberClass::from_text(class.as_str()), class);
    }
    assert_eq!(NumberClass::from_text("brand-new"), Unknown);
}

proptest! {
    /// Whatever the text and wherever the SIM is from: it ends, and a party holds digits only.
    #[test]
    fn any_text_is_judged(text in ".{0,80}", home in "[0-9]{0,6}", visited in "[0-9]{3}", incoming: bool) {
        let caller = Caller { home: Some(&home), visited: Some(&visited) };
        let judged = judge(Some(&text), incoming, caller, &OwnNumbers::default());
        if let Some(party) = &judged.party {
            let digits = party.strip_prefix('+').unwrap_or(party);
            prop_assert!(digits.len() <= 30 && digits.bytes().all(|b| b.is_ascii_digit()), "{party}");
        }
    }

    #[test]
    fn numbers_with_separators_are_the_same_numbers(digits in "[0-9]{3,15}", home in "(262|460|310|250|440)0[1-9]") {
        let spread: String = digits.chars().flat_map(|c| [c, '-']).collect();
        prop_assert_eq!(class(&home, &digits), class(&home, &spread));
        prop_assert_eq!(party(&home, &digits), party(&home, &spread));
    }
}
