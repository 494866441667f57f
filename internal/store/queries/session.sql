-- name: AddSession :exec
INSERT INTO session (digest, person, account, csrf, created_at, seen_at, expires_at, signed_in_at, factors, address, agent)
VALUES (@digest, @person, @account, @csrf, @created_at, @created_at, @expires_at, @created_at, @factors, @address, @agent);

-- name: Session :one
SELECT * FROM session WHERE digest = @digest;

-- name: Sessions :many
SELECT * FROM session WHERE person = @person ORDER BY seen_at DESC;

-- name: SeeSession :exec
UPDATE session SET seen_at = @at WHERE digest = @digest;

-- name: ChooseAccount :exec
UPDATE session SET account = @account WHERE digest = @digest;

-- name: DropSession :execrows
DELETE FROM session WHERE digest = @digest AND person = @person;

-- name: DropSessions :execrows
DELETE FROM session WHERE person = @person;

-- name: DropOtherSessions :execrows
DELETE FROM session WHERE person = @person AND digest <> @digest;

-- name: DropDeadSessions :execrows
DELETE FROM session WHERE expires_at < @now OR seen_at < @idle_since;

-- name: AddLink :exec
INSERT INTO link (digest, purpose, person, account, created_at, expires_at)
VALUES (@digest, @purpose, @person, @account, @created_at, @expires_at);

-- name: Link :one
SELECT * FROM link WHERE digest = @digest;

-- SpendLink: no row means that the link was spent, has ended, or never was.
-- name: SpendLink :execrows
UPDATE link SET spent_at = @at WHERE digest = @digest AND purpose = @purpose AND spent_at IS NULL AND expires_at > @at;

-- DropLinks: a new link of a kind for a person makes the older ones worthless.
-- name: DropLinks :execrows
DELETE FROM link WHERE person = CAST(@person AS TEXT) AND purpose = @purpose AND spent_at IS NULL;

-- name: DropDeadLinks :execrows
DELETE FROM link WHERE expires_at < @now;
