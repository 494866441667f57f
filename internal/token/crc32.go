package token

// crcTables are for slicing by eight. hash/crc32 would do, but its argument escapes: every request's
// credential would be copied to the heap before it is known to be anything at all.
var crcTables = func() (t [8][256]crc) {
	const ieee = 0xedb88320 // the reflected polynomial
	for i := range t[0] {
		c := crc(i)
		for range 8 {
			if c&1 == 1 {
				c = c>>1 ^ ieee
			} else {
				c >>= 1
			}
		}
		t[0][i] = c
	}
	for i := range t[0] {
		c := t[0][i]
		for k := 1; k < 8; k++ {
			c = t[0][c&0xff] ^ c>>8
			t[k][i] = c
		}
	}
	return t
}()

// crc is a CRC-32 (IEEE 802.3) under way.
type crc uint32

const crcStart = ^crc(0)

func (c crc) sum() uint32 { return ^uint32(c) }

// over goes on with s, and says whether all of it are base62 digits: in one loop, since looking at the
// digits takes no longer than waiting for the tables of the checksum.
func (c crc) over(s string) (_ crc, plain bool) {
	var seen byte
	for len(s) >= 8 {
		c ^= crc(s[0]) | crc(s[1])<<8 | crc(s[2])<<16 | crc(s[3])<<24
		c = crcTables[7][c&0xff] ^ crcTables[6][c>>8&0xff] ^ crcTables[5][c>>16&0xff] ^ crcTables[4][c>>24] ^
			crcTables[3][s[4]] ^ crcTables[2][s[5]] ^ crcTables[1][s[6]] ^ crcTables[0][s[7]]
		seen |= digits[s[0]] | digits[s[1]] | digits[s[2]] | digits[s[3]] | digits[s[4]] | digits[s[5]] | digits[s[6]] | digits[s[7]]
		s = s[8:]
	}
	for i := range len(s) {
		c = crcTables[0][byte(c)^s[i]] ^ c>>8
		seen |= digits[s[i]]
	}
	return c, seen&0x80 == 0
}

// checksum is the CRC-32 of s.
func checksum(s string) uint32 {
	c, _ := crcStart.over(s)
	return c.sum()
}
