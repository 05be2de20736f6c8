//! What Rhai brings: functions of strings, lists, maps and numbers that rules use. A test compares the names with those
//! that the engine has, and runs each example.

/// A function, or a property, of Rhai's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standard {
    /// Where the reference puts it.
    pub(crate) section: &'static str,
    /// `name(parameter: type, …) -> type`.
    pub(crate) form: &'static str,
    /// An expression that uses it.
    pub(crate) example: &'static str,
    /// One line.
    pub(crate) doc: &'static str,
}

const fn of(
    section: &'static str,
    form: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Standard {
    Standard { section, form, example, doc }
}

const ANY: &str = "Any value";
const TEXT: &str = "Strings";
const LIST: &str = "Lists";
const MAP: &str = "Maps";
const NUMBER: &str = "Numbers";
const RANGE: &str = "Ranges";

/// The functions, in the order of the reference.
pub(crate) const STANDARD: &[Standard] = &[
    of(ANY, "print(value: any)", "print(5.GB)", "Writes to the service's log, at the level debug: 20 lines a run."),
    of(ANY, "debug(value: any)", "debug([1, 2])", "As `print`, with quotes around strings."),
    of(ANY, "type_of(value: any) -> string", "type_of(5) == \"i64\"", "The name of the value's type."),
    of(ANY, "to_string(value: any) -> string", "(5).to_string() == \"5\"", "The value as text, as `${…}` shows it."),
    of(ANY, "to_debug(value: any) -> string", "\"a\".to_debug() == \"\\\"a\\\"\"", "The value as text, with quotes around strings."),
    of(TEXT, "len(text: string) -> int", "\"abc\".len() == 3", "How many characters it has; also `text.len`."),
    of(TEXT, "bytes(text: string) -> int", "\"流量\".bytes() == 6", "How many bytes it has; also `text.bytes`."),
    of(TEXT, "is_empty(text: string) -> bool", "\"\".is_empty()", "Whether it has no character; also `text.is_empty`."),
    of(TEXT, "contains(text: string, part: string | char) -> bool", "\"500 MB left\".contains(\"MB\")", "Whether the part is in it; also `part in text`."),
    of(TEXT, "starts_with(text: string, part: string | char) -> bool", "\"abc\".starts_with(\"a\")", "Whether it begins so."),
    of(TEXT, "ends_with(text: string, part: string | char) -> bool", "\"abc\".ends_with(\"c\")", "Whether it ends so."),
    of(TEXT, "index_of(text: string, part: string | char) -> int", "\"abc\".index_of(\"c\") == 2", "Where the part begins, from 0; -1 where it is not."),
    of(TEXT, "index_of(text: string, part: string | char, start: int) -> int", "\"abca\".index_of(\"a\", 1) == 3", "The same, looked for from `start` on."),
    of(TEXT, "sub_string(text: string, start: int) -> string", "\"abc\".sub_string(1) == \"bc\"", "What is from `start` on; below 0 counts from the end."),
    of(TEXT, "sub_string(text: string, start: int, length: int) -> string", "\"abcd\".sub_string(1, 2) == \"bc\"", "So many characters from `start` on; also of a range, `1..3`."),
    of(TEXT, "split(text: string) -> list", "\"a b\".split() == [\"a\", \"b\"]", "Its words."),
    of(TEXT, "split(text: string, at: string | char) -> list", "\"a,b\".split(\",\") == [\"a\", \"b\"]", "Its parts; with a number instead, the two parts before and after that place."),
    of(TEXT, "split(text: string, at: string | char, most: int) -> list", "\"a,b,c\".split(\",\", 2) == [\"a\", \"b,c\"]", "Its parts, so many at most."),
    of(TEXT, "split_rev(text: string, at: string | char) -> list", "\"a,b\".split_rev(\",\") == [\"b\", \"a\"]", "Its parts, the last first."),
    of(TEXT, "split_rev(text: string, at: string | char, most: int) -> list", "\"a,b,c\".split_rev(\",\", 2) == [\"c\", \"a,b\"]", "Its parts, the last first, so many at most."),
    of(TEXT, "to_upper(text: string) -> string", "\"abc\".to_upper() == \"ABC\"", "In capital letters."),
    of(TEXT, "to_lower(text: string) -> string", "\"ABC\".to_lower() == \"abc\"", "In small letters."),
    of(TEXT, "make_upper(text: string)", "{ let t = \"a\"; t.make_upper(); t == \"A\" }", "Changes it to capital letters."),
    of(TEXT, "make_lower(text: string)", "{ let t = \"A\"; t.make_lower(); t == \"a\" }", "Changes it to small letters."),
    of(TEXT, "trim(text: string)", "{ let t = \" a \"; t.trim(); t == \"a\" }", "Changes it: takes white space off both ends."),
    of(TEXT, "replace(text: string, old: string | char, new: string | char)", "{ let t = \"a.b\"; t.replace(\".\", \",\"); t == \"a,b\" }", "Changes it: puts `new` in each place of `old`."),
    of(TEXT, "remove(text: string, part: string | char)", "{ let t = \"abcb\"; t.remove(\"b\"); t == \"ac\" }", "Changes it: takes each such part out."),
    of(TEXT, "crop(text: string, start: int)", "{ let t = \"abc\"; t.crop(1); t == \"bc\" }", "Changes it: keeps what is from `start` on; also `(start, length)` and a range."),
    of(TEXT, "truncate(text: string, length: int)", "{ let t = \"abc\"; t.truncate(1); t == \"a\" }", "Changes it: keeps so many characters."),
    of(TEXT, "pad(text: string, length: int, with: string | char)", "{ let t = \"7\"; t.pad(3, \".\"); t == \"7..\" }", "Changes it: adds at the end until it is so long."),
    of(TEXT, "append(text: string, more: any)", "{ let t = \"a\"; t.append(1); t == \"a1\" }", "Changes it: adds at the end; also `text += more`."),
    of(TEXT, "pop(text: string) -> any", "{ let t = \"ab\"; t.pop() == 'b' }", "Takes the last character off; with a number, so many."),
    of(TEXT, "clear(text: string)", "{ let t = \"ab\"; t.clear(); t == \"\" }", "Changes it: empties it."),
    of(TEXT, "get(text: string, index: int) -> any", "\"abc\".get(0) == 'a'", "The character at that place; absent where there is none."),
    of(TEXT, "set(text: string, index: int, new: char)", "{ let t = \"abc\"; t.set(0, 'x'); t == \"xbc\" }", "Changes the character at that place."),
    of(TEXT, "chars(text: string)", "{ let n = 0; for c in \"abc\".chars() { n += 1; } n == 3 }", "Its characters, for `for`; also `text.chars`, and `(start)`, `(start, length)` or a range."),
    of(TEXT, "to_chars(text: string) -> list", "\"ab\".to_chars() == ['a', 'b']", "Its characters, as a list."),
    of(TEXT, "min(a: string, b: string) -> string", "min(\"a\", \"b\") == \"a\"", "The one that is first in order."),
    of(TEXT, "max(a: string, b: string) -> string", "max(\"a\", \"b\") == \"b\"", "The one that is last in order."),
    of(TEXT, "parse_int(text: string) -> int", "parse_int(\"42\") == 42", "The whole number that is written; with a second value, to that base."),
    of(TEXT, "parse_decimal(text: string) -> decimal", "parse_decimal(\"1.50\") == 1.5", "The number that is written."),
    of(TEXT, "parse_float(text: string) -> decimal", "parse_float(\"1.50\") == 1.5", "The same as `parse_decimal`."),
    of(LIST, "len(list: list) -> int", "[1, 2].len() == 2", "How many elements it has; also `list.len`."),
    of(LIST, "is_empty(list: list) -> bool", "[].is_empty()", "Whether it has none; also `list.is_empty`."),
    of(LIST, "contains(list: list, value: any) -> bool", "[1, 2].contains(2)", "Whether the value is in it; also `value in list`."),
    of(LIST, "filter(list: list, keep: function) -> list", "[1, 2].filter(|x| x > 1) == [2]", "The elements for which it is true."),
    of(LIST, "map(list: list, make: function) -> list", "[1, 2].map(|x| x * 2) == [2, 4]", "What is made of each element."),
    of(LIST, "find(list: list, wanted: function) -> any", "[1, 2].find(|x| x > 1) == 2", "The first element for which it is true; absent where there is none."),
    of(LIST, "find_map(list: list, make: function) -> any", "[1, 2].find_map(|x| if x > 1 { x * 10 }) == 20", "The first thing made that is not absent."),
    of(LIST, "index_of(list: list, value: any) -> int", "[5, 6].index_of(6) == 1", "Where the value, or the first for which a function is true, stands; -1 where it does not."),
    of(LIST, "index_of(list: list, value: any, start: int) -> int", "[5, 6, 5].index_of(5, 1) == 2", "The same, looked for from `start` on."),
    of(LIST, "some(list: list, wanted: function) -> bool", "[1, 2].some(|x| x > 1)", "Whether it is true of one element at least."),
    of(LIST, "all(list: list, wanted: function) -> bool", "[1, 2].all(|x| x > 0)", "Whether it is true of all elements."),
    of(LIST, "reduce(list: list, join: function, first: any) -> any", "[1, 2].reduce(|sum, x| sum + x, 0) == 3", "All elements joined, one after the other."),
    of(LIST, "reduce_rev(list: list, join: function, first: any) -> any", "[1, 2].reduce_rev(|t, x| t + x, \"\") == \"21\"", "All elements joined, from the last on."),
    of(LIST, "for_each(list: list, change: function)", "{ let l = [1, 2]; l.for_each(|| this += 1); l == [2, 3] }", "Changes each element, which is `this`."),
    of(LIST, "zip(list: list, other: list, make: function) -> list", "[1, 2].zip([3, 4], |a, b| a + b) == [4, 6]", "What is made of the elements of both, pair by pair."),
    of(LIST, "order(list: list) -> list", "[2, 1].order() == [1, 2]", "The elements in order."),
    of(LIST, "order_desc(list: list) -> list", "[1, 2].order_desc() == [2, 1]", "The elements in order, the greatest first."),
    of(LIST, "order_by(list: list, compare: function) -> list", "[1, 2].order_by(|a, b| b - a) == [2, 1]", "The elements in an order of your own: below 0 where `a` comes first."),
    of(LIST, "sort(list: list)", "{ let l = [2, 1]; l.sort(); l == [1, 2] }", "Changes it: puts the elements in order."),
    of(LIST, "sort_desc(list: list)", "{ let l = [1, 2]; l.sort_desc(); l == [2, 1] }", "Changes it: the greatest first."),
    of(LIST, "sort_by(list: list, compare: function)", "{ let l = [1, 2]; l.sort_by(|a, b| b - a); l == [2, 1] }", "Changes it: an order of your own."),
    of(LIST, "reverse(list: list)", "{ let l = [1, 2]; l.reverse(); l == [2, 1] }", "Changes it: the last first."),
    of(LIST, "push(list: list, value: any)", "{ let l = [1]; l.push(2); l == [1, 2] }", "Changes it: adds at the end."),
    of(LIST, "append(list: list, more: list)", "{ let l = [1]; l.append([2]); l == [1, 2] }", "Changes it: adds all of another at the end; also `list + more`."),
    of(LIST, "insert(list: list, index: int, value: any)", "{ let l = [2]; l.insert(0, 1); l == [1, 2] }", "Changes it: adds at that place."),
    of(LIST, "pop(list: list) -> any", "{ let l = [1, 2]; l.pop() == 2 }", "Takes the last element off."),
    of(LIST, "shift(list: list) -> any", "{ let l = [1, 2]; l.shift() == 1 }", "Takes the first element off."),
    of(LIST, "remove(list: list, index: int) -> any", "{ let l = [1, 2]; l.remove(0) == 1 }", "Takes the element at that place out."),
    of(LIST, "get(list: list, index: int) -> any", "[1].get(5) == ()", "The element at that place; absent where there is none."),
    of(LIST, "set(list: list, index: int, value: any)", "{ let l = [1]; l.set(0, 2); l == [2] }", "Changes the element at that place; also `list[0] = 2`."),
    of(LIST, "extract(list: list, start: int) -> list", "[1, 2, 3].extract(1) == [2, 3]", "The elements from `start` on; also `(start, length)` and a range."),
    of(LIST, "split(list: list, index: int) -> list", "{ let l = [1, 2]; l.split(1) == [2] }", "Takes what is from that place on off it."),
    of(LIST, "retain(list: list, keep: function) -> list", "{ let l = [1, 2]; l.retain(|x| x > 1); l == [2] }", "Changes it: keeps the elements for which it is true, and gives the others."),
    of(LIST, "drain(list: list, take: function) -> list", "{ let l = [1, 2]; l.drain(|x| x > 1) == [2] }", "Changes it: takes out those for which it is true, and gives them."),
    of(LIST, "splice(list: list, start: int, length: int, new: list)", "{ let l = [1, 2]; l.splice(0, 1, [5, 6]); l == [5, 6, 2] }", "Changes it: puts others in the place of so many."),
    of(LIST, "dedup(list: list)", "{ let l = [1, 1, 2]; l.dedup(); l == [1, 2] }", "Changes it: of equal neighbours, one stays."),
    of(LIST, "pad(list: list, length: int, with: any)", "{ let l = [1]; l.pad(2, 0); l == [1, 0] }", "Changes it: adds at the end until it is so long."),
    of(LIST, "chop(list: list, length: int)", "{ let l = [1, 2]; l.chop(1); l == [2] }", "Changes it: keeps the last so many."),
    of(LIST, "truncate(list: list, length: int)", "{ let l = [1, 2]; l.truncate(1); l == [1] }", "Changes it: keeps the first so many."),
    of(LIST, "clear(list: list)", "{ let l = [1]; l.clear(); l == [] }", "Changes it: empties it."),
    of(MAP, "len(map: map) -> int", "#{ a: 1 }.len() == 1", "How many entries it has."),
    of(MAP, "is_empty(map: map) -> bool", "#{}.is_empty()", "Whether it has none."),
    of(MAP, "contains(map: map, name: string) -> bool", "#{ a: 1 }.contains(\"a\")", "Whether it has an entry of that name; also `name in map`."),
    of(MAP, "get(map: map, name: string) -> any", "#{ a: 1 }.get(\"a\") == 1", "The entry of that name; absent where there is none. Also `map.a`, `map[\"a\"]`."),
    of(MAP, "set(map: map, name: string, value: any)", "{ let m = #{}; m.set(\"a\", 1); m.a == 1 }", "Changes the entry of that name; also `map.a = 1`."),
    of(MAP, "keys(map: map) -> list", "#{ a: 1 }.keys() == [\"a\"]", "The names, in order."),
    of(MAP, "values(map: map) -> list", "#{ a: 1 }.values() == [1]", "The values, in the order of the names."),
    of(MAP, "remove(map: map, name: string) -> any", "{ let m = #{ a: 1 }; m.remove(\"a\") == 1 }", "Takes the entry of that name out."),
    of(MAP, "mixin(map: map, more: map)", "{ let m = #{}; m.mixin(#{ a: 1 }); m.a == 1 }", "Changes it: adds all entries of another; also `map + more`."),
    of(MAP, "fill_with(map: map, more: map)", "{ let m = #{ a: 1 }; m.fill_with(#{ a: 2, b: 3 }); m.a == 1 && m.b == 3 }", "Changes it: adds the entries of another that it has not."),
    of(MAP, "map(map: map, make: function) -> map", "#{ a: 1 }.map(|name, value| value + 1).a == 2", "What is made of each entry."),
    of(MAP, "filter(map: map, keep: function) -> map", "#{ a: 1, b: 2 }.filter(|name, value| value > 1).len() == 1", "The entries for which it is true."),
    of(MAP, "retain(map: map, keep: function) -> map", "{ let m = #{ a: 1 }; m.retain(|name, value| value > 1); m.is_empty() }", "Changes it: keeps those for which it is true, and gives the others."),
    of(MAP, "drain(map: map, take: function) -> map", "{ let m = #{ a: 1 }; m.drain(|name, value| value == 1); m.is_empty() }", "Changes it: takes out those for which it is true, and gives them."),
    of(MAP, "clear(map: map)", "{ let m = #{ a: 1 }; m.clear(); m.is_empty() }", "Changes it: empties it."),
    of(NUMBER, "abs(number: decimal) -> decimal", "abs(-5) == 5", "Without its sign."),
    of(NUMBER, "sign(number: decimal) -> int", "sign(-5) == -1", "-1 below 0, 0, or 1."),
    of(NUMBER, "min(a: decimal, b: decimal) -> decimal", "min(1, 2) == 1", "The smaller of the two."),
    of(NUMBER, "max(a: decimal, b: decimal) -> decimal", "max(1, 2) == 2", "The greater of the two."),
    of(NUMBER, "round(number: decimal) -> decimal", "(2.5).round() == 2", "To a whole number, halves to the even one; also `number.round`."),
    of(NUMBER, "round(number: decimal, digits: int) -> decimal", "(2.125).round(2) == 2.12", "To so many digits behind the point, halves to the even one."),
    of(NUMBER, "round_up(number: decimal, digits: int) -> decimal", "(2.1).round_up(0) == 3", "Away from 0."),
    of(NUMBER, "round_down(number: decimal, digits: int) -> decimal", "(2.9).round_down(0) == 2", "Toward 0."),
    of(NUMBER, "round_half_up(number: decimal, digits: int) -> decimal", "(2.5).round_half_up(0) == 3", "Halves away from 0."),
    of(NUMBER, "round_half_down(number: decimal, digits: int) -> decimal", "(2.5).round_half_down(0) == 2", "Halves toward 0."),
    of(NUMBER, "floor(number: decimal) -> decimal", "(2.9).floor() == 2", "The whole number below; also `number.floor`."),
    of(NUMBER, "ceiling(number: decimal) -> decimal", "(2.1).ceiling() == 3", "The whole number above; also `number.ceiling`."),
    of(NUMBER, "int(number: decimal) -> decimal", "(2.9).int() == 2", "Without what is behind the point; also `number.int`."),
    of(NUMBER, "fraction(number: decimal) -> decimal", "(2.9).fraction() == 0.9", "What is behind the point; also `number.fraction`."),
    of(NUMBER, "to_int(number: decimal) -> int", "(2.9).to_int() == 2", "As a whole number, for places and counts."),
    of(NUMBER, "to_decimal(number: int) -> decimal", "(5).to_decimal() / 2 == 2.5", "As a decimal: whole numbers divide to whole numbers."),
    of(NUMBER, "is_zero(number: decimal) -> bool", "(0).is_zero()", "Whether it is 0; also `number.is_zero`."),
    of(NUMBER, "is_even(number: int) -> bool", "(2).is_even()", "Whether it is even; also `number.is_even`."),
    of(NUMBER, "is_odd(number: int) -> bool", "(3).is_odd()", "Whether it is odd; also `number.is_odd`."),
    of(NUMBER, "sqrt(number: decimal) -> decimal", "sqrt(4.0) == 2", "The square root."),
    of(RANGE, "range(from: int, to: int)", "{ let n = 0; for i in range(0, 3) { n += i; } n == 3 }", "Whole numbers from the one up to before the other; also `0..3`, and `0..=3` with the last."),
    of(RANGE, "range(from: int, to: int, step: int)", "{ let n = 0; for i in range(0, 6, 2) { n += i; } n == 6 }", "The same, in steps."),
];

/// Functions that the engine has besides: each is another form of one above, or of no use to a rule.
#[cfg(test)]
pub(crate) const UNTOLD: &[&str] = &[
    // Operators by a name.
    "add", "subtract", "multiply", "divide", "modulo", "power",
    // Parts of ranges, bits of numbers, and what no reminder is reckoned with.
    "start", "end", "is_inclusive", "is_exclusive", "bits", "to_binary", "to_hex", "to_octal", "to_blob", "E", "PI",
    "sin", "cos", "tan", "exp", "ln", "log",
    // Refused, with words.
    "to_json",
];
