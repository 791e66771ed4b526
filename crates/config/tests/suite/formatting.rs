//! `fmt`: one way to write, comments kept, nothing changed.

use bessemer_config::format;

fn check(text: &str, expected: &str) {
    let formatted = format("test", text).unwrap_or_else(|found| panic!("{found:?}"));
    assert_eq!(formatted, expected);
    assert_eq!(format("test", &formatted).unwrap(), expected, "formatting again changes it");
}

#[test]
fn equal_signs_align_in_runs_of_lines() {
    check(
        "b \"l\" {\na=1\nlonger   =  \"x\"\n\nc = 2\nlist = [\n1,2,\n3]\nd = 3\n}",
        "b \"l\" {\n\ta      = 1\n\tlonger = \"x\"\n\n\tc    = 2\n\tlist = [\n\t\t1, 2,\n\t\t3]\
         \n\td = 3\n}\n",
    );
}

#[test]
fn what_is_joined_to_one_line_aligns_at_once() {
    check("a = 1 +\n\t2\nbbb = 3\n", "a   = 1 + 2\nbbb = 3\n");
    check("x = {\n\ta = 1 +\n\t2,\n\tbbb = 3,\n}\n", "x = {\n\ta   = 1 + 2,\n\tbbb = 3,\n}\n");
}

#[test]
fn comments_stay_where_they_are() {
    check(
        "// top\n\n/* a */ b {\n// first\n  x = 1 // one\n  yy = 2 // two\n // last\n}\n// end",
        "// top\n\n/* a */ b {\n\t// first\n\tx  = 1 // one\n\tyy = 2 // two\n\t// last\n}\n// e\
         nd\n",
    );
    check(
        "a = [\n  // one\n  1, // uno\n  2,\n  // end\n]\nb = f(\n 1, // x\n 2, // y\n)\nc { // \
         empty\n}\n",
        "a = [\n\t// one\n\t1, // uno\n\t2,\n\t// end\n]\nb = f(\n\t1, // x\n\t2, // y\n)\n\nc \
         { // empty\n}\n",
    );
    check("a = /* in */ 1 + /* out */ 2\n", "a = /* in */ 1 + /* out */ 2\n");
}

#[test]
fn blocks_have_a_blank_line_before_them_and_others_keep_one() {
    check(
        "a = 1\nb { }\nc { d = 1 }\n\n\n\ne = 2\n",
        "a = 1\n\nb { }\n\nc {\n\td = 1\n}\n\ne = 2\n",
    );
}

#[test]
fn objects_calls_and_operators_have_one_form() {
    check(
        "a = {x=1,\n  \"long key\" = [ 1,2 ],`raw` = {} ,\n}\nb=-( 1+2 )*f ( a . b [ 0 ] , \"x\
         \" )^2\nc = 1 .x\n",
        "a = {x = 1,\n\t\"long key\" = [1, 2], \"raw\" = {},\n}\nb = -(1 + 2) * f(a.b[0], \"x\"\
         ) ^ 2\nc = 1 .x\n",
    );
}

#[test]
fn missing_commas_are_added_and_raw_strings_kept() {
    check("a = {\n x = 1\n y = 2\n}\n", "a = {\n\tx = 1,\n\ty = 2,\n}\n");
    check("a = `one\n\ttwo  \n` // c\nb = 1\n", "a = `one\n\ttwo  \n` // c\nb = 1\n");
}

#[test]
fn what_is_not_valid_is_not_formatted() {
    let found = format("test", "a = ]\nb {").unwrap_err();
    assert_eq!(found[0].to_string(), "test:1:5: error BSM-0101: expected expression, got ]");
}

#[test]
fn an_empty_text_stays_empty() {
    check("", "");
    check("\n\n// only\n", "// only\n");
}
