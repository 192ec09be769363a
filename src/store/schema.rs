// @generated automatically by Diesel CLI.

diesel::table! {
    api_audit (id) {
        id -> BigInt,
        at -> Text,
        who -> Text,
        address -> Nullable<Text>,
        action -> Text,
        object -> Text,
        before -> Nullable<Text>,
        after -> Nullable<Text>,
        request_id -> Nullable<Text>,
    }
}

diesel::table! {
    api_token (id) {
        id -> Text,
        name -> Text,
        scopes -> Text,
        secret_sha256 -> Nullable<Binary>,
        previous_sha256 -> Nullable<Binary>,
        previous_until -> Nullable<Text>,
        certificate_sha256 -> Nullable<Text>,
        created_at -> Text,
        expires_at -> Nullable<Text>,
        revoked_at -> Nullable<Text>,
        last_used_at -> Nullable<Text>,
        parent -> Nullable<Text>,
    }
}

diesel::table! {
    batch (id) {
        id -> BigInt,
        first_record -> BigInt,
        last_record -> BigInt,
        runs -> Text,
        record_count -> BigInt,
        absent -> BigInt,
        state -> Text,
        epoch -> BigInt,
        key_id -> Nullable<BigInt>,
        node_id -> Nullable<BigInt>,
        scheme -> Nullable<Text>,
        opened_at -> Text,
        leased_at -> Nullable<Text>,
        signed_at -> Nullable<Text>,
    }
}

diesel::table! {
    feed (position) {
        position -> BigInt,
        batch_id -> BigInt,
    }
}

diesel::table! {
    feed_identity (id) {
        id -> Text,
    }
}

diesel::table! {
    ledger (id) {
        id -> Text,
        incarnation -> BigInt,
        size -> BigInt,
        edge -> Binary,
        halted -> Nullable<Text>,
        halted_size -> Nullable<BigInt>,
        public_key -> Nullable<Binary>,
        sealed_key -> Nullable<Binary>,
        checkpoint_size -> Nullable<BigInt>,
        checkpoint -> Nullable<Text>,
    }
}

diesel::table! {
    node (id) {
        id -> BigInt,
        name -> Text,
        started_at -> Text,
        lease_until -> Text,
        lease_ttl -> BigInt,
        custodians -> Text,
    }
}

diesel::table! {
    outlet (name) {
        name -> Text,
        feed -> Text,
        position -> BigInt,
        epoch -> BigInt,
        holder -> Nullable<BigInt>,
        held_until -> Nullable<Text>,
    }
}

diesel::table! {
    receipt (seq) {
        seq -> BigInt,
        batch_id -> Nullable<BigInt>,
        root -> Nullable<Binary>,
        entry -> Nullable<Text>,
        head -> Binary,
    }
}

diesel::table! {
    record (id) {
        id -> BigInt,
        external_id -> Nullable<Text>,
        payload -> Binary,
        created_at -> Text,
    }
}

diesel::table! {
    refused (id) {
        id -> BigInt,
        source -> Text,
        digest -> Binary,
        external_id -> Nullable<Text>,
        payload -> Binary,
        size -> BigInt,
        reason -> Text,
        detail -> Text,
        tries -> BigInt,
        at -> Text,
    }
}

diesel::table! {
    signature (record_id) {
        record_id -> BigInt,
        batch_id -> BigInt,
        value -> Binary,
    }
}

diesel::table! {
    signing_key (id) {
        id -> BigInt,
        fingerprint -> Text,
        public_key -> Binary,
        bits -> Integer,
        custody -> Text,
        sealed_key -> Nullable<Binary>,
        location -> Nullable<Text>,
        state -> Text,
        state_reason -> Nullable<Text>,
        max_signatures -> Nullable<BigInt>,
        not_before -> Nullable<Text>,
        not_after -> Nullable<Text>,
        certificates -> Nullable<Binary>,
        last_leased -> BigInt,
        signature_count -> BigInt,
        created_at -> Text,
    }
}

diesel::table! {
    webhook (name) {
        name -> Text,
        url -> Text,
        allow_internal -> Bool,
        sealed_secret -> Binary,
        previous_secret -> Nullable<Binary>,
        previous_until -> Nullable<Text>,
        state -> Text,
        state_reason -> Nullable<Text>,
        failures -> BigInt,
        retry_at -> Nullable<Text>,
        delivered_at -> Nullable<Text>,
        created_at -> Text,
    }
}

diesel::joinable!(batch -> node (node_id));
diesel::joinable!(batch -> signing_key (key_id));
diesel::joinable!(feed -> batch (batch_id));
diesel::joinable!(receipt -> batch (batch_id));
diesel::joinable!(signature -> batch (batch_id));
diesel::joinable!(signature -> record (record_id));

diesel::allow_tables_to_appear_in_same_query!(
    api_audit,
    api_token,
    batch,
    feed,
    feed_identity,
    ledger,
    node,
    outlet,
    receipt,
    record,
    refused,
    signature,
    signing_key,
    webhook,
);
