// Package proto is the contract of ndring: every number, byte layout and
// message that two processes must agree on, and nothing else. It depends on the
// standard library only, so that a client in another language can be written
// from these files (and from docs/layout.md and docs/protocol.md) alone.
//
// # Files of one ring
//
//	$NDRING_DIR/            0700, owner checked
//	  x.ring                the segment: identity | writer words | data
//	  x.readers             the reader table, new in each epoch
//	  x.sock                control socket (SOCK_SEQPACKET)
//	  x.lock                writer lock, never mapped, never passed
//
// # The segment
//
//	0                16 KiB           20 KiB (or the offset in the region table)
//	+----------------+----------------+--------------------------------------+
//	| identity       | writer words   | data: capacity bytes, a power of two |
//	| never changes  | written by the | frames at 64-byte-aligned positions  |
//	| CRC, ready     | writer only    |                                      |
//	+----------------+----------------+--------------------------------------+
//
// Positions are 64-bit byte counts that only grow; the byte of position p lies
// at data[p & (capacity-1)]. No frame crosses a multiple of the capacity.
//
// # A frame
//
//	+0   commit word   0 = not yet; position|kind = committed; kind 1..63
//	+8   number        counts delivered frames; padding repeats the next number
//	+16  description   payload length (48 bits) | dtype (8) | ndim (4) | flags (4)
//	+24  payload       when FlagExtended is clear
//	+24  extension     when FlagExtended is set: sizes, time, stream, source,
//	                   shape, strides; the payload starts at the next multiple of 64
//
// The size of a frame follows from its description and its extension length; it
// is a multiple of 64, never below 64, so a walk over frames always advances.
//
// Five float64 and the base header are exactly one cache line: the frame that
// the first version of this system moved costs one line per hop.
//
// # Decoders
//
// Every decoder in this package accepts arbitrary bytes and returns an error
// that wraps a sentinel of errors.go; none panics. Callers that decode from
// memory another process can write copy the header first and decode the copy.
package proto
