//! Anchors, beside a ledger that commits, rolls back, goes back in time and takes other turns: what they remember, and what
//! is left of them when processes, disks and power fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crashes;
mod databases;
mod disks;
mod doubt;
mod files;
mod ledger;
mod protocol;
mod reading;
mod rewrites;
mod site;

/// Runs each test over an anchor in a file, and over one in a database.
macro_rules! over_both {
    ($($module:ident: $($test:ident),+;)+) => {
        over!(file: $($module: $($test),+;)+);
        over!(database: $($module: $($test),+;)+);
    };
}

/// Runs each test over one of them.
macro_rules! over {
    ($medium:ident: $($module:ident: $($test:ident),+;)+) => {
        mod $medium {
            $($(
                #[test]
                fn $test() {
                    super::$module::$test(&super::site::Site::$medium());
                }
            )+)+
        }
    };
}

over_both! {
    protocol:
        a_database_that_went_back_is_behind_its_anchor_at_every_size,
        a_database_of_another_history_is_another_however_long_it_is,
        what_became_of_the_last_commit_is_found_in_the_database,
        a_commit_that_still_goes_on_is_not_given_up_by_a_look_at_the_database,
        a_commit_that_was_rolled_back_is_not_expected_of_the_database,
        the_next_commit_confirms_the_last_one,
        a_commit_that_only_the_old_server_has_is_missed,
        what_others_committed_is_remembered_when_it_was_seen,
        in_the_course_of_commits_the_database_is_not_asked,
        the_database_must_have_what_any_of_several_files_knows,
        one_process_has_an_anchor,
        one_that_is_missing_is_made_only_where_that_is_wanted,
        one_that_was_set_aside_stays_readable_and_the_next_one_takes_its_place;
    reading:
        every_commit_is_told_with_its_entries_and_what_became_of_it;
}
