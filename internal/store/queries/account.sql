-- name: AddAccount :exec
INSERT INTO account (id, kind, name, name_key, created_at, suspended_why, expiry_default, expiry_max, limits, revision)
VALUES (@id, @kind, @name, @name_key, @created_at, '', @expiry_default, @expiry_max, '', 1);

-- name: Account :one
SELECT * FROM account WHERE id = @id;

-- name: Accounts :many
SELECT * FROM account
 WHERE (CAST(@q AS TEXT) = '' OR replace(name_key, @q, '') <> name_key)
   AND (CAST(@kind AS TEXT) = '' OR kind = @kind)
   AND id > @after
 ORDER BY id LIMIT CAST(@n AS BIGINT);

-- EditAccount: no row means that somebody else changed it first.
-- name: EditAccount :execrows
UPDATE account SET name = @name, name_key = @name_key, expiry_default = @expiry_default, expiry_max = @expiry_max,
       limits = @limits, revision = revision + 1
 WHERE id = @id AND revision = @revision;

-- SuspendAccount: no row means it was suspended already.
-- name: SuspendAccount :execrows
UPDATE account SET suspended_at = @at, suspended_why = @why, revision = revision + 1
 WHERE id = @id AND suspended_at IS NULL;

-- ResumeAccount: no row means it was not suspended.
-- name: ResumeAccount :execrows
UPDATE account SET suspended_at = NULL, suspended_why = '', revision = revision + 1
 WHERE id = @id AND suspended_at IS NOT NULL;

-- name: AddManagement :exec
INSERT INTO management (id, agency, brand, starts_at) VALUES (@id, @agency, @brand, @starts_at);

-- EndManagement: no row means there was no such live link.
-- name: EndManagement :execrows
UPDATE management SET ended_at = @at WHERE agency = @agency AND brand = @brand AND ended_at IS NULL;

-- ManagedBrands are the brands that an agency manages now, or will from starts_at on.
-- name: ManagedBrands :many
SELECT m.id, m.agency, m.brand, m.starts_at, a.name, a.kind, a.suspended_at FROM management m
  JOIN account a ON a.id = m.brand
 WHERE m.agency = @agency AND m.ended_at IS NULL
 ORDER BY m.brand;

-- Managements lists an account's links on either side, live and ended.
-- name: Managements :many
SELECT m.id, m.agency, m.brand, m.starts_at, m.ended_at, g.name AS agency_name, b.name AS brand_name FROM management m
  JOIN account g ON g.id = m.agency
  JOIN account b ON b.id = m.brand
 WHERE m.agency = @account OR m.brand = @account
 ORDER BY m.starts_at DESC, m.id;

-- AllManaged is for snapshots: every live link.
-- name: AllManaged :many
SELECT agency, brand, starts_at FROM management WHERE ended_at IS NULL ORDER BY agency, brand;

-- name: AllAccountFacts :many
SELECT id, suspended_at, limits FROM account ORDER BY id;

-- name: Withhold :exec
INSERT INTO withheld (account, api, scope) VALUES (@account, @api, @scope) ON CONFLICT (account, api, scope) DO NOTHING;

-- name: Release :execrows
DELETE FROM withheld WHERE account = @account AND api = @api AND scope = @scope;

-- name: Withheld :many
SELECT api, scope FROM withheld WHERE account = @account ORDER BY api, scope;
