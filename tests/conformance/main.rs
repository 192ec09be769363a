//! One suite that every store must pass: in memory, in SQLite, through a fault plan, and in PostgreSQL. Each test is
//! a function of a [`TestedStore`](support::tested_store::TestedStore).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod audit_log;
mod batches;
mod commits;
mod fault_plan;
mod feed;
mod keys;
mod leases;
mod limits;
mod lookup;
mod nodes;
mod outlets;
mod records;
mod refused;
mod sessions;
mod together;
mod webhooks;

use signwave::{
    domain::{CommitVerdict, SignedBatch},
    store::Store,
};

fn commit_one(store: &dyn Store, batch: SignedBatch) -> CommitVerdict {
    let verdicts = store.commit(&[batch]).unwrap();
    assert_eq!(verdicts.len(), 1);
    verdicts[0]
}

/// Runs each test over each store.
macro_rules! in_every_store {
    ($($tests:tt)+) => {
        in_store!(memory in memory: $($tests)+);
        in_store!(sqlite in sqlite: $($tests)+);
        in_store!(faulty in faulty: $($tests)+);
        in_store!(postgresql in postgres: $($tests)+);
    };
}

/// Runs each test over one store.
macro_rules! in_store {
    ($name:ident in $kind:ident: $($module:ident: $($test:ident),+;)+) => {
        mod $name {
            $($(
                #[test]
                fn $test() {
                    let tested = support::tested_store::TestedStore::$kind();
                    super::$module::$test(&tested);
                    support::promises::Promises::default().check(&*tested.store);
                }
            )+)+
        }
    };
}

in_every_store! {
    records:
        records_get_rising_ids_and_named_ones_are_added_once,
        a_conflict_ends_the_insert_and_what_came_before_it_is_stored,
        a_conflict_does_not_end_the_insert_if_the_caller_wants_the_rest,
        a_payload_at_the_limit_is_stored_and_a_larger_one_is_refused,
        payloads_are_read_byte_for_byte_in_order,
        reading_a_payload_that_is_missing_is_an_error,
        unsigned_records_are_shown_without_a_signature;
    refused:
        what_arrives_becomes_a_record_or_is_refused_in_one_transaction,
        what_is_refused_has_one_row_however_often_it_arrives,
        what_the_schema_refuses_stores_nothing_of_its_chunk,
        a_refused_message_becomes_a_record_when_its_name_is_mended,
        what_is_no_record_or_not_whole_cannot_be_retried,
        what_people_do_with_refused_messages_is_in_the_log;
    batches:
        batches_are_formed_full_until_enough_are_open,
        a_partial_batch_is_formed_only_when_asked_for,
        nothing_waits_only_when_nothing_is_left,
        gaps_in_ids_become_runs,
        batches_are_listed_in_pages;
    leases:
        oldest_batches_are_paired_with_least_recently_used_keys,
        the_order_of_keys_is_that_of_the_domain_rule,
        only_keys_within_reach_are_leased_and_the_others_are_reported,
        a_key_in_use_is_not_leased_again,
        fewer_are_leased_when_batches_or_keys_run_out,
        a_node_that_is_not_registered_leases_nothing,
        a_release_counts_only_what_still_stood,
        an_inventory_names_what_is_held_and_what_is_not_stored_any_more;
    commits:
        a_commit_stores_every_signature_of_a_batch,
        a_batch_of_any_size_is_committed,
        a_commit_is_fenced_by_epoch_node_and_state,
        a_fenced_batch_does_not_hinder_the_others,
        the_same_batch_twice_in_one_commit_is_stored_once,
        after_a_lost_reply_the_outcome_can_be_read_back,
        a_batch_that_does_not_exist_is_fenced_and_hinders_no_other;
    feed:
        batches_are_numbered_in_the_order_in_which_they_were_stored,
        a_batch_of_the_feed_is_the_signed_batch,
        what_is_not_stored_gets_no_position,
        the_feed_is_read_in_pages,
        readers_beside_committers_miss_nothing_and_see_no_position_change;
    outlets:
        an_outlet_begins_where_it_was_asked_to_and_goes_on_where_it_was,
        an_outlet_is_held_by_one_node_until_its_time_is_over,
        a_holder_whose_time_is_over_is_fenced,
        a_position_that_is_not_in_the_feed_is_never_claimed,
        a_reset_sets_where_an_outlet_goes_on_and_the_log_says_so,
        an_outlet_is_reset_only_while_no_node_holds_it,
        an_outlet_that_is_ahead_of_the_feed_goes_on_after_a_reset,
        of_many_nodes_exactly_one_claims_an_outlet,
        a_clock_that_is_set_back_makes_no_hold_longer;
    webhooks:
        a_webhook_is_told_of_what_comes_after_it_was_added,
        a_failed_message_waits_and_what_comes_in_the_meantime_goes_with_it,
        a_disabled_webhook_waits_for_a_person,
        a_late_sender_changes_nothing,
        a_rotation_keeps_the_secret_before_for_a_while,
        sealed_secrets_are_replaced_all_or_none,
        each_change_by_a_person_is_in_the_audit_log_without_a_secret;
    nodes:
        a_renewed_lease_stands_and_a_removed_node_is_gone,
        removing_a_node_gives_back_what_it_holds,
        a_node_is_reclaimed_when_its_lease_and_the_grace_ran_out,
        a_reclaimed_node_can_neither_lease_nor_commit,
        a_clock_that_is_set_back_makes_no_lease_longer,
        nobody_reclaims_itself,
        node_ids_are_never_used_twice;
    limits:
        a_batch_that_a_key_may_not_sign_goes_to_another_key,
        keys_that_are_used_up_hold_up_no_other_key,
        a_lease_that_was_given_back_counts_for_nothing,
        a_key_signs_between_its_times,
        the_time_of_a_key_begins_and_ends_by_the_clock_of_the_database,
        a_batch_that_was_leased_in_time_is_stored_after_it,
        limits_are_set_one_by_one_and_each_change_is_logged,
        a_limit_is_never_below_what_is_signed_and_being_signed,
        a_key_says_why_it_may_not_sign_and_the_status_counts_it;
    keys:
        a_key_is_added_once,
        key_states_follow_the_rule_and_retired_is_final,
        only_active_keys_are_leased,
        a_stored_key_comes_back_as_it_was,
        a_key_has_its_limits_from_the_start,
        certificates_are_stored_replaced_and_removed_and_each_change_is_logged,
        sealed_keys_are_replaced_all_or_none,
        no_key_is_added_while_sealed_keys_are_replaced;
    lookup:
        a_record_is_found_by_its_id_and_by_its_name,
        a_record_names_its_batch_and_shows_its_signature_once_that_is_signed,
        a_record_is_only_in_the_batch_that_names_it,
        a_batch_is_found_with_its_records,
        batches_are_listed_newest_first_by_state_and_in_pages,
        keys_are_listed_in_the_order_of_use_and_as_added,
        a_key_is_found_by_its_fingerprint,
        the_oldest_unsigned_record_is_found_wherever_it_waits;
    access:
        a_token_is_stored_as_a_hash_and_shown_without_it,
        an_id_is_taken_for_ever,
        tokens_are_listed_in_pages_in_the_order_in_which_they_were_added,
        a_token_ends_when_its_time_is_over_and_without_one_never,
        a_rotation_leaves_the_secret_before_valid_for_the_overlap,
        a_rotation_never_gives_the_secret_before_more_time_than_it_had,
        a_second_rotation_ends_the_first_secret,
        a_revocation_is_final,
        a_certificate_stands_for_one_token_at_a_time,
        the_use_of_a_token_is_noted_no_more_often_than_asked;
    sessions:
        a_session_has_the_name_and_the_scopes_of_its_token_and_is_listed_apart,
        a_session_needs_a_token_that_can_be_used_and_never_outlives_it,
        the_sessions_of_a_token_end_with_it_and_others_do_not,
        a_rotation_ends_the_sessions_that_would_outlive_the_secret_before,
        a_session_is_ended_once_and_never_rotated,
        signing_in_and_out_are_rows_of_the_audit_log,
        sessions_are_forgotten_when_they_have_long_been_over;
    audit_log:
        every_change_has_its_row_and_what_changes_nothing_has_none,
        the_log_says_who_and_from_where,
        the_log_is_read_in_pages,
        a_change_that_cannot_be_logged_is_not_made,
        no_hash_of_a_secret_is_in_the_log,
        changes_at_the_same_time_are_numbered_without_gaps;
    together:
        of_many_threads_exactly_one_leases_each_batch,
        many_that_form_batches_at_once_share_the_records_out,
        of_many_commits_of_one_batch_exactly_one_is_stored,
        nodes_that_race_for_limited_keys_never_exceed_a_limit,
        of_many_reclaimers_exactly_one_gets_each_node;
}

/// What holds on one host: ids are assigned and become visible in one order, and a process that died
/// shows at once.
macro_rules! in_every_store_of_one_host {
    ($($tests:tt)+) => {
        in_store!(memory_on_one_host in memory: $($tests)+);
        in_store!(sqlite_on_one_host in sqlite: $($tests)+);
        in_store!(faulty_on_one_host in faulty: $($tests)+);
    };
}

in_every_store_of_one_host! {
    batches:
        no_record_can_appear_below_the_frontier;
    nodes:
        a_node_whose_process_died_is_reclaimed_at_once;
}
