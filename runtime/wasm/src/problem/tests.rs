use super::*;

#[test]
fn a_text_of_megabytes_is_cut_and_says_so() {
    let problem = Problem::component("é".repeat(11 << 20)).hint("x".repeat(5000));
    let told = problem.of(&"p".into()).to_string();
    assert!(told.len() < 3 * MAX_TEXT, "{} bytes", told.len());
    assert!(told.contains("bytes more"), "{told}");
}

#[test]
fn a_text_forges_no_line_and_moves_no_cursor() {
    let told = Problem::at("/config", Flaw::Said("a\nerror: b\x1b[2J".to_owned()))
        .of(&"p".into())
        .to_string();
    assert!(told.contains("a\\nerror: b\\u{1b}[2J"), "{told}");
}

#[test]
fn of_many_problems_a_few_are_told_and_the_rest_is_counted() {
    let many = |count: usize| {
        let problems = (0..count).map(|at| Problem::component(format!("no. {at}"))).collect();
        Problem::all_of(problems, &"p".into())
    };
    assert_eq!(many(MAX_PROBLEMS).len(), MAX_PROBLEMS);
    let told = many(100_000);
    assert_eq!(told.len(), MAX_PROBLEMS + 1);
    assert!(told[MAX_PROBLEMS].message.starts_with("at least 99950 more"), "{told:?}");
}

#[test]
fn a_place_of_megabytes_is_the_tables() {
    let told = Problem::at("/x".repeat(1 << 20), Flaw::UnknownKey).of(&"p".into());
    assert_eq!(told.pointer, None);
}

#[test]
fn of_choices_without_end_a_few_are_told() {
    let all = Wanted::Either(vec![Wanted::OneOf(vec!["x".repeat(5000); 10_000]), Wanted::Text]);
    let told = Problem::at("/config", Flaw::Unwanted(all)).of(&"p".into());
    assert!(told.message.len() < 64 << 10, "{} bytes", told.message.len());
}
