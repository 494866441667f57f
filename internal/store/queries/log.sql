-- NextSeq takes the counter's lock and gives the new position with the head that the next event is
-- chained to. It runs last in every act.
-- name: NextSeq :one
UPDATE log SET seq = seq + 1 WHERE id = 1 RETURNING seq, hash;

-- name: SetHead :exec
UPDATE log SET hash = @hash WHERE id = 1;

-- name: Head :one
SELECT seq, hash FROM log WHERE id = 1;

-- name: AddEvent :exec
INSERT INTO event (seq, at, account, action, person, subject, body, hash)
VALUES (@seq, @at, @account, @action, @person, @subject, @body, @hash);

-- name: AddFeed :exec
INSERT INTO feed (seq, at, body) VALUES (@seq, @at, @body);

-- FeedAfter: the change log for followers, in order.
-- name: FeedAfter :many
SELECT seq, at, body FROM feed WHERE seq > @after ORDER BY seq LIMIT CAST(@n AS BIGINT);

-- name: FeedFloor :one
SELECT CAST(COALESCE(MIN(seq), 0) AS BIGINT) FROM feed;

-- EventsAfter walks the whole chain, oldest first.
-- name: EventsAfter :many
SELECT seq, body, hash FROM event WHERE seq > @after ORDER BY seq LIMIT CAST(@n AS BIGINT);

-- AccountEvents is an account's history, newest first, before a position.
-- name: AccountEvents :many
SELECT seq, body FROM event
 WHERE account = @account AND seq < @before
   AND (CAST(@action AS TEXT) = '' OR action = @action)
   AND (CAST(@subject AS TEXT) = '' OR subject = @subject)
   AND (CAST(@person AS TEXT) = '' OR person = @person)
   AND (CAST(@words AS TEXT) = '' OR replace(body, @words, '') <> body)
   AND at >= @since AND (CAST(@until AS BIGINT) = 0 OR at < @until)
 ORDER BY seq DESC LIMIT CAST(@n AS BIGINT);

-- AllEvents is the operator's history: every account's.
-- name: AllEvents :many
SELECT seq, body FROM event
 WHERE seq < @before
   AND (CAST(@action AS TEXT) = '' OR action = @action)
   AND (CAST(@subject AS TEXT) = '' OR subject = @subject)
   AND (CAST(@person AS TEXT) = '' OR person = @person)
   AND (CAST(@words AS TEXT) = '' OR replace(body, @words, '') <> body)
   AND at >= @since AND (CAST(@until AS BIGINT) = 0 OR at < @until)
 ORDER BY seq DESC LIMIT CAST(@n AS BIGINT);
