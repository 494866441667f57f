package extauthz

import (
	"math/bits"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// Messages are read and written here, octet by octet (https://protobuf.dev/programming-guides/encoding/),
// for two reasons. A library takes the last of two values of one field, and the last of two equal keys of a
// map, without a word; here both are seen and refused (SECURITY.md, class 16). And the library's messages
// cost several times what the whole decision does.

// codec reads and writes our own messages, and leaves those of the health service to the library.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Unmarshal reads a question. It has no error, which would become one of gRPC: see the package's words.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if q, ours := v.(*question); ours {
		text := make([]byte, data.Len())
		data.CopyTo(text)
		q.decode(string(text))
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

// Marshal writes an answer.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if octets, ours := v.(answer); ours {
		return mem.BufferSlice{mem.SliceBuffer(octets)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Kinds of value on the wire.
const (
	varint  = 0
	fixed64 = 1
	length  = 2
	fixed32 = 5
)

// message reads the fields of one message, in their order. Its parts share one string, which nothing changes.
type message struct {
	rest   string
	broken bool
}

// next is the next field: its number, its kind, and the octets of one with a length. It is false at the end,
// and when the rest is no message.
func (m *message) next() (number uint64, kind int, value string, ok bool) {
	if m.rest == "" || m.broken {
		return 0, 0, "", false
	}
	tag := m.varint()
	number, kind = tag>>3, int(tag&7)
	skip := uint64(0)
	switch kind {
	case varint:
		m.varint()
	case fixed64:
		skip = 8
	case length:
		skip = m.varint()
	case fixed32:
		skip = 4
	default: // groups, which proto3 does not have
		m.broken = true
	}
	if m.broken || number == 0 || number > 1<<29-1 || skip > uint64(len(m.rest)) {
		m.broken = true
		return 0, 0, "", false
	}
	if kind == length {
		value = m.rest[:skip]
	}
	m.rest = m.rest[skip:]
	return number, kind, value, true
}

func (m *message) varint() (n uint64) {
	for i := 0; i < len(m.rest) && i < 10; i++ {
		c := m.rest[i]
		if i == 9 && c > 1 {
			break
		}
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			m.rest = m.rest[i+1:]
			return n
		}
	}
	m.broken = true
	return 0
}

// want says which fields of a message are read, and where to. All of them have a length.
type want struct {
	number uint64
	into   *string
}

// pick reads the fields that are wanted, each of which may be there once, and reports what else has a length
// to others. It is false for what is no message, or has a field twice.
func pick(text string, wanted []want, others func(number uint64, value string) bool) bool {
	m := message{rest: text}
	seen := uint64(0)
	for {
		number, kind, value, ok := m.next()
		if !ok {
			return !m.broken
		}
		known := false
		for i := range wanted {
			if wanted[i].number != number {
				continue
			}
			if kind != length || seen&(1<<i) != 0 {
				return false
			}
			known, seen = true, seen|1<<i
			*wanted[i].into = value
		}
		if !known && others != nil && kind == length && !others(number, value) {
			return false
		}
	}
}

// answer is a message that is written already.
type answer []byte

func (a answer) tag(number, kind int) answer { return a.number(uint64(number)<<3 | uint64(kind)) }

func (a answer) number(n uint64) answer {
	for n >= 0x80 {
		a = append(a, byte(n)|0x80)
		n >>= 7
	}
	return append(a, byte(n))
}

func (a answer) value(number int, n uint64) answer { return a.tag(number, varint).number(n) }

func (a answer) text(number int, s string) answer {
	return append(a.tag(number, length).number(uint64(len(s))), s...)
}

// begin opens a message within the message; end closes it, from where begin left off.
func (a answer) begin(number int) (answer, int) {
	a = append(a.tag(number, length), 0)
	return a, len(a)
}

// end writes the length, for which begin has left one octet.
func (a answer) end(at int) answer {
	n := uint64(len(a) - at)
	more := (bits.Len64(n|1) - 1) / 7
	for range more {
		a = append(a, 0)
	}
	copy(a[at+more:], a[at:len(a)-more])
	a[:at-1].number(n)
	return a
}
