-- name: AddPublication :exec
INSERT INTO publication (seq, hash, policy, presentation, documents, confirmed, at, by_name)
VALUES (@seq, @hash, @policy, @presentation, @documents, @confirmed, @at, @by_name);

-- LastPublication is the live catalogue, without the documents.
-- name: LastPublication :one
SELECT seq, hash, policy, presentation, confirmed, at, by_name FROM publication ORDER BY seq DESC LIMIT 1;

-- name: PublicationDocuments :one
SELECT documents FROM publication WHERE seq = @seq;

-- name: Publications :many
SELECT seq, hash, at, by_name FROM publication ORDER BY seq DESC LIMIT CAST(@n AS BIGINT);
