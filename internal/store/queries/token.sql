-- name: AddToken :exec
INSERT INTO token (sid, account, zero, name, name_key, description, state, state_at, state_by, state_why, state_locked,
                   api, version, pins, reach, brands, expires_at, primary_contact, emails, limits,
                   created_at, created_by, created_name, revision, last_address, last_agent, calls)
VALUES (@sid, @account, @zero, @name, @name_key, @description, 'enabled', @created_at, @created_name, '', 0,
        @api, @version, @pins, @reach, @brands, @expires_at, @primary_contact, @emails, @limits,
        @created_at, @created_by, @created_name, 1, '', '', 0);

-- name: Token :one
SELECT * FROM token WHERE account = @account AND sid = @sid;

-- TokenBySID is for verifiers and for a holder that asks about itself: no account is known yet.
-- name: TokenBySID :one
SELECT * FROM token WHERE sid = @sid;

-- ListTokens pages by (created_at, sid), newest first; the filters are those of the page.
-- name: ListTokens :many
SELECT * FROM token
 WHERE account = @account AND zero = @zero AND state <> 'deleted'
   AND (CAST(@q AS TEXT) = '' OR replace(name_key, @q, '') <> name_key)
   AND created_at >= @created_from AND created_at < @created_to
   AND (CAST(@state AS TEXT) = ''
        OR (@state = 'expired' AND expires_at IS NOT NULL AND expires_at <= CAST(@now AS BIGINT))
        OR (@state = 'enabled' AND state = 'enabled' AND (expires_at IS NULL OR expires_at > CAST(@now AS BIGINT)))
        OR (@state = 'disabled' AND state <> 'enabled' AND (expires_at IS NULL OR expires_at > CAST(@now AS BIGINT))))
   AND (CAST(@api AS TEXT) = '' OR api = @api)
   AND (CAST(@version AS TEXT) = '' OR version = @version)
   AND (created_at, sid) < (@before_at, CAST(@before_sid AS TEXT))
 ORDER BY created_at DESC, sid DESC LIMIT CAST(@n AS BIGINT);

-- ListTokensBack is the page before: the same, walked the other way.
-- name: ListTokensBack :many
SELECT * FROM token
 WHERE account = @account AND zero = @zero AND state <> 'deleted'
   AND (CAST(@q AS TEXT) = '' OR replace(name_key, @q, '') <> name_key)
   AND created_at >= @created_from AND created_at < @created_to
   AND (CAST(@state AS TEXT) = ''
        OR (@state = 'expired' AND expires_at IS NOT NULL AND expires_at <= CAST(@now AS BIGINT))
        OR (@state = 'enabled' AND state = 'enabled' AND (expires_at IS NULL OR expires_at > CAST(@now AS BIGINT)))
        OR (@state = 'disabled' AND state <> 'enabled' AND (expires_at IS NULL OR expires_at > CAST(@now AS BIGINT))))
   AND (CAST(@api AS TEXT) = '' OR api = @api)
   AND (CAST(@version AS TEXT) = '' OR version = @version)
   AND (created_at, sid) > (@after_at, CAST(@after_sid AS TEXT))
 ORDER BY created_at, sid LIMIT CAST(@n AS BIGINT);

-- name: CountTokens :one
SELECT COUNT(*) FROM token
 WHERE account = @account AND zero = @zero AND state <> 'deleted'
   AND (CAST(@q AS TEXT) = '' OR replace(name_key, @q, '') <> name_key)
   AND created_at >= @created_from AND created_at < @created_to
   AND (CAST(@state AS TEXT) = ''
        OR (@state = 'expired' AND expires_at IS NOT NULL AND expires_at <= CAST(@now AS BIGINT))
        OR (@state = 'enabled' AND state = 'enabled' AND (expires_at IS NULL OR expires_at > CAST(@now AS BIGINT)))
        OR (@state = 'disabled' AND state <> 'enabled' AND (expires_at IS NULL OR expires_at > CAST(@now AS BIGINT))))
   AND (CAST(@api AS TEXT) = '' OR api = @api)
   AND (CAST(@version AS TEXT) = '' OR version = @version);

-- name: NameTaken :one
SELECT COUNT(*) FROM token WHERE account = @account AND name_key = @name_key AND sid <> @sid AND state <> 'deleted';

-- EditToken: no row means that somebody else changed it first.
-- name: EditToken :execrows
UPDATE token SET name = @name, name_key = @name_key, description = @description, api = @api, version = @version,
       pins = @pins, reach = @reach, brands = @brands, expires_at = @expires_at,
       primary_contact = @primary_contact, emails = @emails, limits = @limits, revision = revision + 1
 WHERE account = @account AND sid = @sid AND revision = @revision AND state <> 'deleted';

-- SetTokenState: no row means it is in that state already, or gone. A lock can be put on a state that the
-- token is in already, or disabling first would keep the operator's lock away; nobody takes it off so.
-- name: SetTokenState :execrows
UPDATE token SET state = @state, state_at = @at, state_by = @by_name, state_why = @why, state_locked = @locked,
       revision = revision + 1
 WHERE account = @account AND sid = @sid AND state <> 'deleted'
   AND (state <> @state OR state_locked < CAST(@locked AS BIGINT));

-- TouchToken moves the revision and so locks the row before a reset: the loser of two resets waits,
-- then finds another revision.
-- name: TouchToken :execrows
UPDATE token SET revision = revision + 1 WHERE account = @account AND sid = @sid AND state <> 'deleted' AND revision = @revision;

-- name: AddSecret :exec
INSERT INTO secret (sid, digest, created_at) VALUES (@sid, @digest, @created_at);

-- name: DropSecrets :exec
DELETE FROM secret WHERE sid = @sid;

-- name: Secrets :many
SELECT digest, created_at, until_at FROM secret WHERE sid = @sid ORDER BY created_at DESC, digest;

-- AllTokens walks every token that is not deleted, for snapshots and for the diff of a catalogue.
-- name: AllTokens :many
SELECT sid, account, zero, state, pins, reach, brands, expires_at, first_call_at, limits FROM token
 WHERE state <> 'deleted' AND sid > @after
 ORDER BY sid LIMIT CAST(@n AS BIGINT);

-- SecretsFrom walks all live secrets in the order of AllTokens.
-- name: SecretsFrom :many
SELECT s.sid, s.digest, s.until_at FROM secret s
  JOIN token t ON t.sid = s.sid
 WHERE t.state <> 'deleted' AND s.sid > @after AND s.sid <= @upto
 ORDER BY s.sid, s.created_at DESC, s.digest;

-- name: AddIdempotency :exec
INSERT INTO idempotency (account, key, body, sid, created_at) VALUES (@account, @key, @body, @sid, @created_at);

-- name: Idempotency :one
SELECT body, sid FROM idempotency WHERE account = @account AND key = @key;

-- RecordUse moves last use forward, never back.
-- name: RecordUse :exec
UPDATE token SET calls = calls + @calls,
       first_call_at = COALESCE(first_call_at, @at),
       last_address = CASE WHEN last_used_at IS NULL OR last_used_at <= @at THEN @address ELSE last_address END,
       last_agent = CASE WHEN last_used_at IS NULL OR last_used_at <= @at THEN @agent ELSE last_agent END,
       last_used_at = CASE WHEN last_used_at IS NULL OR last_used_at <= @at THEN @at ELSE last_used_at END
 WHERE sid = @sid;

-- name: UsageNumber :one
SELECT number FROM usage_batch WHERE node = @node;

-- name: SetUsageNumber :exec
INSERT INTO usage_batch (node, number) VALUES (@node, @number)
ON CONFLICT (node) DO UPDATE SET number = excluded.number;

-- AddQuota counts allowed calls of a token or an account in one day or month.
-- name: AddQuota :exec
INSERT INTO quota (subject, period, calls, moved_at) VALUES (@subject, @period, @calls, @moved_at)
ON CONFLICT (subject, period) DO UPDATE SET calls = quota.calls + excluded.calls, moved_at = excluded.moved_at;

-- QuotasMoved is what was counted since a time, of one day and one month: both of a subject move together.
-- name: QuotasMoved :many
SELECT subject, period, calls FROM quota
 WHERE moved_at >= @since AND (period = @day OR period = @month)
 ORDER BY subject, period;

-- DropQuotas forgets days and months that are long over.
-- name: DropQuotas :execrows
DELETE FROM quota WHERE moved_at < @before;

-- AccountPins is what each enabled token of an account opens, by name, for the reference of an API.
-- name: AccountPins :many
SELECT sid, name, pins FROM token
 WHERE account = @account AND zero = @zero AND state = 'enabled' AND (expires_at IS NULL OR expires_at > CAST(@now AS BIGINT))
 ORDER BY name_key, sid;
