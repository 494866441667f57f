-- name: AddDraft :exec
INSERT INTO draft (id, account, person, body, created_at, expires_at)
VALUES (@id, @account, @person, @body, @created_at, @expires_at);

-- name: Draft :one
SELECT * FROM draft WHERE id = @id AND account = @account AND person = @person;

-- name: SaveDraft :execrows
UPDATE draft SET body = @body, expires_at = @expires_at
 WHERE id = @id AND account = @account AND person = @person AND sid IS NULL;

-- SpendDraft: no row means that the draft has become a token already.
-- name: SpendDraft :execrows
UPDATE draft SET sid = CAST(@sid AS TEXT), body = '{}'
 WHERE id = @id AND account = @account AND person = @person AND sid IS NULL;

-- name: DropDrafts :execrows
DELETE FROM draft WHERE expires_at < @now;
