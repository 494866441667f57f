-- name: AddPerson :exec
INSERT INTO person (id, email, email_key, name, operator, password, password_at, created_at)
VALUES (@id, @email, @email_key, @name, @operator, @password, @password_at, @created_at);

-- name: Person :one
SELECT * FROM person WHERE id = @id;

-- name: PersonByEmail :one
SELECT * FROM person WHERE email_key = @email_key;

-- name: CountOperators :one
SELECT COUNT(*) FROM person WHERE operator = 1;

-- name: Operators :many
SELECT * FROM person WHERE operator = 1 ORDER BY created_at, id;

-- name: SetPassword :exec
UPDATE person SET password = @password, password_at = @at WHERE id = @id;

-- name: NamePerson :exec
UPDATE person SET name = @name WHERE id = @id;

-- name: SetDisabled :exec
UPDATE person SET disabled_at = @at WHERE id = @id;

-- name: AddMember :exec
INSERT INTO member (account, person, role, allow_sensitive, invited_at, joined_at)
VALUES (@account, @person, @role, @allow_sensitive, @invited_at, @joined_at);

-- name: Member :one
SELECT m.account, m.person, m.role, m.allow_sensitive, m.invited_at, m.joined_at, p.email, p.name, p.disabled_at
  FROM member m JOIN person p ON p.id = m.person
 WHERE m.account = @account AND m.person = @person;

-- name: Members :many
SELECT m.account, m.person, m.role, m.allow_sensitive, m.invited_at, m.joined_at, p.email, p.name, p.disabled_at
  FROM member m JOIN person p ON p.id = m.person
 WHERE m.account = @account
 ORDER BY p.name, p.id;

-- Memberships are a person's accounts, for the switch at the top of the menu: agencies first, since
-- whoever works for one begins there.
-- name: Memberships :many
SELECT m.account, m.role, m.allow_sensitive, a.kind, a.name, a.suspended_at
  FROM member m JOIN account a ON a.id = m.account
 WHERE m.person = @person AND m.joined_at IS NOT NULL
 ORDER BY CASE a.kind WHEN 'agency' THEN 0 WHEN 'brand' THEN 1 ELSE 2 END, a.name_key, a.id;

-- name: JoinMember :execrows
UPDATE member SET joined_at = @at WHERE account = @account AND person = @person AND joined_at IS NULL;

-- JoinAll: accepting one invitation accepts those that were sent to the same address.
-- name: JoinAll :exec
UPDATE member SET joined_at = @at WHERE person = @person AND joined_at IS NULL;

-- name: EditMember :execrows
UPDATE member SET role = @role, allow_sensitive = @allow_sensitive WHERE account = @account AND person = @person;

-- name: RemoveMember :execrows
DELETE FROM member WHERE account = @account AND person = @person;

-- CountAdministrators counts those who could still run the account.
-- name: CountAdministrators :one
SELECT COUNT(*) FROM member m JOIN person p ON p.id = m.person
 WHERE m.account = @account AND m.role = 'administrator' AND m.joined_at IS NOT NULL AND p.disabled_at IS NULL;

-- TokensOfContact are the tokens that a leaving member would strand.
-- name: TokensOfContact :many
SELECT sid, name FROM token
 WHERE account = @account AND primary_contact = CAST(@person AS TEXT) AND state <> 'deleted'
 ORDER BY name_key LIMIT 50;
