// Package conformance holds the live tests of the contract: producers and consumers in
// every language, against each other, in every wake mode and with every sort of array,
// and with processes that are killed.
//
// Each language is a pair of commands that take the same command line:
//
//	producer RING --until N --dtype f64 --shape 4x3 --order c|f --capacity BYTES
//	              --kill-at N --pause-ms N --close-ms N --dir PATH
//	consumer RING --wake park|stream|observe --name NAME --keep-ms N --restart-ms N
//	              --kill-at N --dir PATH
//
// A producer goes on until the ring has --until frames, those of an earlier life of the
// ring included. Byte i of the payload of frame n is n*131 + i*7 + (i>>8)*13 modulo 256.
// With --order f the frame carries the strides of the array with its axes in the other
// order. With --kill-at the process dies by SIGKILL with that frame claimed and half
// written, or held.
//
// A consumer reads to the end of the ring and prints one line:
//
//	frames=3 bytes=120 first=0 gaps=0 torn=0 checksum=… dtype=f64 shape=5 strides=8 rescues=0
//
// first is the number of the first frame, gaps counts numbers that do not follow each
// other, torn counts payloads that differ from the pattern. The checksum of a frame is
// the CRC-32 of its payload; that of the run is sum*31 + checksum, modulo 2^64, for each
// frame. shape and strides are those of the last frame. rescues counts sleeps that only
// the safety timeout ended; a language that does not count them prints 0.
//
// The consumer in Go also has --die-at-end: it dies by SIGKILL once it has read everything,
// before it says goodbye; and --no-wait: a ring that is not there is an error.
//
// A language whose tools a machine lacks is skipped with a line that names the package
// to install, or fails if NDRING_REQUIRE_ALL is set. To add one, add it to languages.
package conformance
