package verify

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
)

// standing is a grant's state as the request path compares it. The zero value is in force nowhere: it
// is what a grant becomes that this verifier cannot read (SECURITY.md, class 34).
type standing uint8

const (
	unreadable standing = iota
	enabled
	disabled
	onHold
	leaked
	deleted // a tombstone: a late answer to an old question must not bring the token back (class 29)
)

// flags are the yes-or-no facts of a grant.
type flags uint8

const (
	isZero     flags = 1 << iota // an API-zero token: has a kind of its own
	reachAll                     // all brands managed now
	reachList                    // those of entry.reach
	neverThere                   // of a tombstone: the token was never there, so no secret is right
)

// entry is one grant: 80 octets and no pointer, so that a million of them cost the collector nothing.
// What repeats between grants (pins, brand lists, accounts) or is rare (a second secret) lies in the
// side tables of view, by index.
type entry struct {
	sid     token.SID
	state   standing
	flags   flags
	digest  token.Digest
	account uint32
	pins    uint32
	reach   uint32
	extra   uint32 // 0: one secret without an end, and no not-before
	expires api.Micros
}

// A page is one allocation of 1+n entries without pointers. The first is not a grant but the pageHead:
// how many follow, and one octet of hash for each, so that a look-up touches the head and, but for one
// time in two hundred, the one entry that it wants. Pages are immutable: a change copies one.
type pageHead struct {
	n    uint8
	tags [pageTags]uint8
}

const (
	pageTags = 79
	pageMax  = 72 // tags are scanned eight at a time, so the last word must lie inside the head
	pageLoad = 24 // average number of grants a page at which the directory doubles

	// Pages that are made together share an allocation, so that the collector has fewer to look at. It is kept
	// until all of them were replaced: of pages that change at random, half as much again at the worst.
	slabPages = 4
)

// For finding an octet among eight at once.
const ones, tops = 0x0101010101010101, 0x8080808080808080

// Head and entry share one allocation, so their sizes must agree.
var _ [unsafe.Sizeof(entry{})]byte = [unsafe.Sizeof(pageHead{})]byte{}

type page struct{ first *entry }

func (p page) head() *pageHead  { return (*pageHead)(unsafe.Pointer(p.first)) }
func (p page) entries() []entry { return unsafe.Slice(p.first, 1+int(p.head().n))[1:] }

// A cold look-up misses the cache twice: for the head, and then for the entry. Both are fetched early, while
// the route is found and the secret hashed.

func (p page) prefetchHead() { prefetch(unsafe.Pointer(p.first)) } // of no page at all it does nothing

// prefetchEntry fetches both ends of the entry that find will most likely look at.
func (p page) prefetchEntry(hash uint64) {
	if p.first == nil {
		return
	}
	head := p.head()
	want := uint64(tag(hash)) * ones
	for i := 0; i < int(head.n); i += 8 {
		word := binary.LittleEndian.Uint64(head.tags[i:i+8:i+8]) ^ want
		if hits := (word - ones) &^ word & tops; hits != 0 {
			if at := i + bits.TrailingZeros64(hits)/8; at < int(head.n) {
				e := &p.entries()[at]
				prefetch(unsafe.Pointer(e))
				prefetch(unsafe.Pointer(&e.expires))
				return
			}
		}
	}
}

// newPage writes a page into block, which has one entry more than the page.
func newPage(block, entries []entry, seed *hashSeed) page {
	p := page{&block[0]}
	head := p.head()
	head.n = uint8(len(entries))
	for i := range entries {
		block[1+i] = entries[i]
		head.tags[i] = tag(seed.of(&entries[i].sid))
	}
	return p
}

// find returns the entry of a SID, or nil.
func (p page) find(sid *token.SID, hash uint64) *entry {
	if p.first == nil {
		return nil
	}
	head := p.head()
	want := uint64(tag(hash)) * ones
	for i := 0; i < int(head.n); i += 8 {
		word := binary.LittleEndian.Uint64(head.tags[i:i+8:i+8]) ^ want
		for hits := (word - ones) &^ word & tops; hits != 0; hits &= hits - 1 {
			at := i + bits.TrailingZeros64(hits)/8
			if at >= int(head.n) {
				break
			}
			if e := &p.entries()[at]; e.sid == *sid {
				return e
			}
		}
	}
	return nil
}

// hashSeed makes the place of a SID in the table unknown outside, so that nobody who may choose SIDs
// (an import) can pile them onto one page.
type hashSeed [2]uint64

// of hashes all 22 characters of a SID.
func (s *hashSeed) of(sid *token.SID) uint64 {
	a := binary.LittleEndian.Uint64(sid[0:8]) ^ s[0]
	b := binary.LittleEndian.Uint64(sid[8:16]) ^ s[1]
	hi, lo := bits.Mul64(a, b)
	c := binary.LittleEndian.Uint64(sid[14:22]) ^ hi ^ lo
	hi, lo = bits.Mul64(c, s[0]|1)
	return hi ^ lo
}

func tag(hash uint64) uint8 { return uint8(hash >> 56) }

// directory finds pages by the low bits of the hash. Readers load a slot and keep the page as long as
// they like; the one writer stores a new page in its place.
type directory struct {
	seed  *hashSeed
	slots []atomic.Pointer[entry]
}

// newDirectory has room for so many grants.
func newDirectory(grants int, seed *hashSeed) *directory {
	size := 16
	for size*pageLoad < grants {
		size *= 2
	}
	return &directory{seed: seed, slots: make([]atomic.Pointer[entry], size)}
}

func (d *directory) slot(hash uint64) *atomic.Pointer[entry] {
	return &d.slots[hash&uint64(len(d.slots)-1)]
}

// page is the page where a SID of this hash would be.
func (d *directory) page(hash uint64) page { return page{d.slot(hash).Load()} }

func (d *directory) find(sid *token.SID) *entry {
	hash := d.seed.of(sid)
	return d.page(hash).find(sid, hash)
}

// put stores an entry, in the place of the one with the same SID if there is one. It returns false,
// and changes nothing, if the page is full: then the directory must be rebuilt larger.
func (d *directory) put(e *entry) bool {
	hash := d.seed.of(&e.sid)
	p := d.page(hash)
	var old []entry
	if p.first != nil {
		old = p.entries()
	}
	at := len(old)
	for i := range old {
		if old[i].sid == e.sid {
			at = i
			break
		}
	}
	if at >= pageMax {
		return false
	}
	entries := make([]entry, len(old), pageMax+1)
	copy(entries, old)
	if at == len(old) {
		entries = append(entries, *e)
	} else {
		entries[at] = *e
	}
	d.slot(hash).Store(newPage(make([]entry, 1+len(entries)), entries, d.seed).first)
	return true
}

// fill builds all pages at once: putting a million grants one by one would copy every page sixteen times.
// It returns false if a page would be too full.
func (d *directory) fill(entries []entry) bool {
	counts := make([]uint32, len(d.slots)+1)
	mask := uint64(len(d.slots) - 1)
	for i := range entries {
		counts[d.seed.of(&entries[i].sid)&mask+1]++
	}
	for i := 1; i < len(counts); i++ {
		if counts[i] > pageMax {
			return false
		}
		counts[i] += counts[i-1]
	}
	order := make([]uint32, len(entries))
	next := append([]uint32(nil), counts[:len(d.slots)]...)
	for i := range entries {
		slot := d.seed.of(&entries[i].sid) & mask
		order[next[slot]] = uint32(i)
		next[slot]++
	}
	var scratch [pageMax]entry
	var slab []entry
	for slot := range d.slots {
		if slot%slabPages == 0 {
			slab = make([]entry, counts[slot+slabPages]-counts[slot]+slabPages)
		}
		from, to := counts[slot], counts[slot+1]
		if from == to {
			continue
		}
		for i := from; i < to; i++ {
			scratch[i-from] = entries[order[i]]
		}
		end := 1 + to - from
		d.slots[slot].Store(newPage(slab[:end:end], scratch[:to-from], d.seed).first)
		slab = slab[end:]
	}
	return true
}

// each calls f with every entry, tombstones included.
func (d *directory) each(f func(*entry)) {
	for slot := range d.slots {
		p := page{d.slots[slot].Load()}
		if p.first == nil {
			continue
		}
		entries := p.entries()
		for i := range entries {
			f(&entries[i])
		}
	}
}
