package token

// crcTables are for slicing by eight. hash/crc32 would do, but its argument escapes: every request's
// credential would be copied to the heap before it is known to be anything at all.
var crcTables = func() (t [8][256]uint32) {
	const ieee = 0xedb88320 // the reflected polynomial
	for i := range t[0] {
		c := uint32(i)
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

// checksum is the CRC-32 (IEEE 802.3) of s.
func checksum(s string) uint32 {
	c := ^uint32(0)
	for len(s) >= 8 {
		c ^= uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
		c = crcTables[7][c&0xff] ^ crcTables[6][c>>8&0xff] ^ crcTables[5][c>>16&0xff] ^ crcTables[4][c>>24] ^
			crcTables[3][s[4]] ^ crcTables[2][s[5]] ^ crcTables[1][s[6]] ^ crcTables[0][s[7]]
		s = s[8:]
	}
	for i := range len(s) {
		c = crcTables[0][byte(c)^s[i]] ^ c>>8
	}
	return ^c
}
