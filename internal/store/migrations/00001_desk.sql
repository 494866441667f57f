-- +goose Up

-- Portable subset (doc.go): times are integer microseconds UTC, NULL is absence, booleans are 0 or 1,
-- lists are JSON text, digests are bytes.

-- The one counter row. Its update is the last statement of every act: its lock orders acts, and the
-- feed position and the head of the audit chain move together.
CREATE TABLE log (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    seq  BIGINT NOT NULL,
    hash BYTEA  NOT NULL
);

-- What every act did, chained by hash. Never updated, never deleted.
CREATE TABLE event (
    seq     BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    account BIGINT NOT NULL, -- 0: the operator's own
    action  TEXT   NOT NULL,
    person  TEXT   NOT NULL, -- '' when a token or the clock acted
    subject TEXT   NOT NULL, -- SID, person id, account id or publication hash
    body    TEXT   NOT NULL, -- canonical JSON of audit.Event
    hash    BYTEA  NOT NULL
);
CREATE INDEX event_account ON event (account, seq);
CREATE INDEX event_subject ON event (subject, seq);

-- What verifiers must hear of an act. Rows older than the newest snapshot any follower needs may go.
CREATE TABLE feed (
    seq  BIGINT PRIMARY KEY,
    at   BIGINT NOT NULL,
    body TEXT   NOT NULL
);

CREATE TABLE person (
    id          TEXT   PRIMARY KEY,
    email       TEXT   NOT NULL,
    email_key   TEXT   NOT NULL UNIQUE,
    name        TEXT   NOT NULL,
    operator    BIGINT NOT NULL,
    password    TEXT,            -- PHC string of argon2id; NULL until the invitation is accepted
    password_at BIGINT,
    created_at  BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE TABLE account (
    id              BIGINT PRIMARY KEY,
    kind            TEXT   NOT NULL,
    name            TEXT   NOT NULL,
    name_key        TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    suspended_at    BIGINT,
    suspended_why   TEXT   NOT NULL,
    expiry_default  BIGINT, -- days a new token lives when nobody chooses; NULL: the installation's, 0: no end
    expiry_max      BIGINT, -- most days a new token may live; NULL: the installation's, 0: no limit
    limits          TEXT   NOT NULL, -- JSON of api.AccountLimits; '' for none
    revision        BIGINT NOT NULL
);
CREATE INDEX account_name ON account (name_key, id);

CREATE TABLE member (
    account         BIGINT NOT NULL REFERENCES account (id),
    person          TEXT   NOT NULL REFERENCES person (id),
    role            TEXT   NOT NULL,
    allow_sensitive BIGINT NOT NULL,
    invited_at      BIGINT NOT NULL,
    joined_at       BIGINT, -- NULL: invited, not yet accepted
    PRIMARY KEY (account, person)
);
CREATE INDEX member_person ON member (person, account);

-- An agency manages a brand from starts_at until ended_at. Ended rows stay, for the record.
CREATE TABLE management (
    id        TEXT   PRIMARY KEY,
    agency    BIGINT NOT NULL REFERENCES account (id),
    brand     BIGINT NOT NULL REFERENCES account (id),
    starts_at BIGINT NOT NULL,
    ended_at  BIGINT
);
CREATE UNIQUE INDEX management_live ON management (agency, brand) WHERE ended_at IS NULL;
CREATE INDEX management_brand ON management (brand);

-- Scopes that the operator withholds from an account, in every version of the API.
CREATE TABLE withheld (
    account BIGINT NOT NULL REFERENCES account (id),
    api     TEXT   NOT NULL,
    scope   TEXT   NOT NULL,
    PRIMARY KEY (account, api, scope)
);

CREATE TABLE token (
    sid             TEXT   PRIMARY KEY,
    account         BIGINT NOT NULL, -- 0: an operator's own API-zero token
    zero            BIGINT NOT NULL, -- 1: opens the management API only
    name            TEXT   NOT NULL,
    name_key        TEXT   NOT NULL,
    description     TEXT   NOT NULL,
    state           TEXT   NOT NULL, -- enabled, disabled, on_hold, leaked, deleted
    state_at        BIGINT NOT NULL,
    state_by        TEXT   NOT NULL,
    state_why       TEXT   NOT NULL,
    state_locked    BIGINT NOT NULL, -- 1: an operator or a leak did it; comes back only with a new secret
    api             TEXT   NOT NULL, -- of the first pin, for lists
    version         TEXT   NOT NULL,
    pins            TEXT   NOT NULL, -- JSON: [{api, version, scopes}]
    reach           TEXT   NOT NULL,
    brands          TEXT   NOT NULL, -- JSON: [id]
    expires_at      BIGINT,
    primary_contact TEXT,
    emails          TEXT   NOT NULL, -- JSON: developer e-mail addresses
    limits          TEXT   NOT NULL, -- JSON of api.Limits; '' for none
    created_at      BIGINT NOT NULL,
    created_by      TEXT   NOT NULL, -- person id or the SID of the API-zero token that asked
    created_name    TEXT   NOT NULL, -- how they were called then
    revision        BIGINT NOT NULL, -- moves with every edit; an edit names the revision it saw
    first_call_at   BIGINT,
    last_used_at    BIGINT,
    last_address    TEXT   NOT NULL,
    last_agent      TEXT   NOT NULL,
    calls           BIGINT NOT NULL
);
CREATE UNIQUE INDEX token_name ON token (account, name_key) WHERE state <> 'deleted';
CREATE INDEX token_list ON token (account, zero, created_at, sid);
-- Counting what matches the filters of the list reads this index and no row.
CREATE INDEX token_count ON token (account, zero, created_at, state, expires_at, api, version, name_key);
CREATE INDEX token_contact ON token (primary_contact);

-- Live secrets, as SHA-256 of the 43 characters. One row, or two while a rotation overlaps.
CREATE TABLE secret (
    sid        TEXT   NOT NULL REFERENCES token (sid),
    digest     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    until_at   BIGINT,
    PRIMARY KEY (sid, digest)
);

-- A create that was sent twice answers the same token.
CREATE TABLE idempotency (
    account    BIGINT NOT NULL,
    key        TEXT   NOT NULL,
    body       BYTEA  NOT NULL, -- SHA-256 of the request
    sid        TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, key)
);

-- A wizard that is under way. Spending it is part of creating the token, so a reload, a double
-- click or a second tab never makes two.
CREATE TABLE draft (
    id         TEXT   PRIMARY KEY,
    account    BIGINT NOT NULL,
    person     TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    sid        TEXT -- the token it became
);
CREATE INDEX draft_expires ON draft (expires_at);

CREATE TABLE publication (
    seq          BIGINT PRIMARY KEY, -- the act that published it
    hash         TEXT   NOT NULL,
    policy       TEXT   NOT NULL, -- canonical JSON of decide.Catalogue
    presentation TEXT   NOT NULL, -- JSON of what people read
    documents    BYTEA  NOT NULL, -- as uploaded
    confirmed    TEXT   NOT NULL, -- JSON: public operations that the publisher confirmed
    at           BIGINT NOT NULL,
    by_name      TEXT   NOT NULL
);

CREATE TABLE session (
    digest       BYTEA  PRIMARY KEY, -- SHA-256 of the cookie value
    person       TEXT   NOT NULL REFERENCES person (id),
    account      BIGINT,             -- the account chosen at the top of the menu
    csrf         TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    signed_in_at BIGINT NOT NULL, -- last time a password or factor was given, for step-up
    factors      TEXT   NOT NULL, -- what was given: "password"
    address      TEXT   NOT NULL,
    agent        TEXT   NOT NULL
);
CREATE INDEX session_person ON session (person);

-- One-time links: set-up, invitation, password reset, demo sign-in. Spent by a POST.
CREATE TABLE link (
    digest     BYTEA  PRIMARY KEY,
    purpose    TEXT   NOT NULL,
    person     TEXT,
    account    BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    spent_at   BIGINT
);

-- Messages, written in the transaction that caused them. The body may hold a one-time link, so it
-- is sealed under the key file.
CREATE TABLE outbox (
    id         TEXT   PRIMARY KEY,
    kind       TEXT   NOT NULL,
    recipient  TEXT   NOT NULL,
    body       BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    tries      BIGINT NOT NULL,
    sent_at    BIGINT,
    failed_at  BIGINT,
    last_error TEXT   NOT NULL
);
CREATE INDEX outbox_next ON outbox (next_at);

-- Allowed calls of what has a quota, summed in the transaction that applies a batch.
CREATE TABLE quota (
    subject  TEXT   NOT NULL, -- SID, or the id of an account
    period   BIGINT NOT NULL, -- UTC day as YYYYMMDD, or month as YYYYMM
    calls    BIGINT NOT NULL,
    moved_at BIGINT NOT NULL, -- when it was counted last
    PRIMARY KEY (subject, period)
);
CREATE INDEX quota_moved ON quota (moved_at);

-- The number of the last usage batch applied per node, so that a batch counts once.
CREATE TABLE usage_batch (
    node   TEXT   PRIMARY KEY,
    number BIGINT NOT NULL
);

INSERT INTO log (id, seq, hash) VALUES (1, 0, '');

-- +goose Down
DROP TABLE usage_batch;
DROP TABLE quota;
DROP TABLE outbox;
DROP TABLE link;
DROP TABLE session;
DROP TABLE publication;
DROP TABLE draft;
DROP TABLE idempotency;
DROP TABLE secret;
DROP TABLE token;
DROP TABLE withheld;
DROP TABLE management;
DROP TABLE member;
DROP TABLE account;
DROP TABLE person;
DROP TABLE feed;
DROP TABLE event;
DROP TABLE log;
