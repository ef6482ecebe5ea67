// Package check judges the memory of a ring whose writer was stopped between two
// instructions.
//
// A Checker is shown the live segment and reader table after each step. If a byte
// changed, it copies both and asks, of the copy:
//
//   - the rules: did the writer store only between the end of what is committed and
//     the limit it had shared before; do limit, tail and frame number only grow; is
//     the tail within the ring; does the word where the next frame will start say that
//     there is none; does the limit pass no reader that gates
//   - a fresh lossless reader, from the cursor of each slot that gates: it gets
//     exactly the frames that are committed, whole, each as the script's ledger has
//     it, then finds nothing more
//   - a fresh observer, from the oldest frame: what it gets is whole, and the last
//     frame it gets is the last one committed
//   - the library's own checker, ring.Segment.Audit: it finds nothing
//   - a fresh writer: it takes the copy over with the old table, goes on with the
//     next number in the next place, every reader returns to its slot and gets all
//     that was committed, then more than a lap of new frames, then the end
//
// What is committed is what a reader saw once: it must be there ever after. What an
// operation commits appears all at once, and is there when the operation returns.
//
// # Cost
//
// Most instructions change no byte, and a comparison of 64 KiB takes a microsecond
// or two. A state that did change costs about a fifth of a millisecond.
package check
