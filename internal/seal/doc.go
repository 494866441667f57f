// Package seal keeps what must be readable again: signing keys, webhook and one-time-code secrets, and
// letters that wait in the outbox with a link in them. (A token's secret need not be readable again, so
// it is hashed, by internal/token, and never comes here.)
//
// The key file holds one or more keys of 32 octets, one a line, in base64 or hex; it belongs to one user
// and nobody else may read it. [LoadOrCreate] makes it at the first start. The first key seals, all of
// them open: a new key goes on top, and an old one may be taken out when nothing is sealed under it.
// Without the file a copy of the database tells nothing of what is sealed; and with the file lost, so is
// that. Keep it in the backup, apart from the database.
//
// A sealed value is AES-256-GCM (NIST SP 800-38D) with a random nonce:
//
//	version 1, 1 octet | key id, 4 octets | nonce, 12 octets | ciphertext | tag, 16 octets
//
// Version, key id and purpose are authenticated with it. The purpose says which column a value belongs
// in, so that a value moved to another column (by who can write to the database) does not open. A key
// may seal 2^32 values before random nonces become a matter of chance.
package seal
