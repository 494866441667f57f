-- name: AddOutbox :exec
INSERT INTO outbox (id, kind, recipient, body, created_at, next_at, tries, last_error)
VALUES (@id, @kind, @recipient, @body, @created_at, @created_at, 0, '');

-- name: DueOutbox :many
SELECT * FROM outbox WHERE next_at <= @now AND sent_at IS NULL AND failed_at IS NULL
 ORDER BY next_at, id LIMIT CAST(@n AS BIGINT);

-- TakeOutbox leases a message to one sender: no row means that another one has it.
-- name: TakeOutbox :execrows
UPDATE outbox SET next_at = @until_at, tries = tries + 1
 WHERE id = @id AND next_at = @next_at AND sent_at IS NULL AND failed_at IS NULL;

-- SentOutbox also forgets the body: it may hold a link.
-- name: SentOutbox :exec
UPDATE outbox SET sent_at = @at, body = '', last_error = '' WHERE id = @id;

-- name: DelayOutbox :exec
UPDATE outbox SET next_at = @next_at, last_error = @last_error WHERE id = @id;

-- name: FailOutbox :exec
UPDATE outbox SET failed_at = @at, body = '', last_error = @last_error WHERE id = @id;
