package proto

// Version of the layout and of the socket protocol. Minor versions
// interoperate; peers with different major versions refuse each other.
const (
	VersionMajor = 1
	VersionMinor = 0
)

// Bounds of names, dimensions, rings and frames.
const (
	MaxDims          = 8          // dimensions of an array
	MaxNameBytes     = 64         // ring and reader names
	LineBytes        = 64         // alignment and minimum size of frames
	MinCapacityBytes = 64 << 10   // smallest data region
	MaxCapacityBytes = 1 << 40    // largest data region
	MaxPayloadBytes  = 1<<48 - 1  // what the description word can express
	PayloadDivisor   = 4          // payload <= capacity / PayloadDivisor
	MarkCount        = 64         // marks per ring
	LimitDivisor     = 16         // limit is raised by up to capacity / LimitDivisor
	MaxReaderSlots   = 1024       // largest reader table
	DefaultSlots     = 64         // reader table unless asked otherwise
	SeparationBytes  = 128        // distance of words written by different processes
	PageBytes        = 4096       // regions start on pages
	EndianProbe      = 0x01020304 // reads differently on a big-endian machine
	AnyDim           = ^uint64(0) // a schema dimension of any extent
	AnyNDim          = 0xff       // a schema of any number of dimensions
)

// Identity region: offsets from the start of the segment.
const (
	SegmentMagic = 0x0a1a676e6972646e // "ndring\x1a\n" read as little-endian

	IdMagic       = 0
	IdEndian      = IdMagic + 8       // u32
	IdMajor       = IdEndian + 4      // u16
	IdMinor       = IdMajor + 2       // u16
	IdRequired    = IdMinor + 2       // u64, features a peer must know
	IdOptional    = IdRequired + 8    // u64, features a peer may ignore
	IdWriterOff   = IdOptional + 8    // u64
	IdWriterBytes = IdWriterOff + 8   // u64
	IdDataOff     = IdWriterBytes + 8 // u64
	IdCapacity    = IdDataOff + 8     // u64
	IdRingID      = IdCapacity + 8    // 16 bytes, random
	IdFrameLimit  = IdRingID + 16     // u64, largest payload in bytes
	IdStart       = IdFrameLimit + 8  // u64, first position of the ring
	IdCreatedNs   = IdStart + 8       // u64, Unix time
	IdCreatorPID  = IdCreatedNs + 8   // u32, a label
	IdCreatorUID  = IdCreatorPID + 4  // u32
	IdPolicy      = IdCreatorUID + 4  // u32
	IdSlots       = IdPolicy + 4      // u32, reader slots
	IdSchemaDType = IdSlots + 4       // u8, 0 = any
	IdSchemaNDim  = IdSchemaDType + 1 // u8, AnyNDim = any
	IdReserved0   = IdSchemaNDim + 1  // 6 bytes, zero
	IdSchemaShape = IdReserved0 + 6   // 8 x u64
	IdName        = IdSchemaShape + 8*MaxDims
	IdCreatorExe  = IdName + MaxNameBytes
	IdMetaBytes   = IdCreatorExe + MaxNameBytes // u32
	IdReserved1   = IdMetaBytes + 4             // 60 bytes, zero
	IdMeta        = IdReserved1 + 60            // IdMetaBytes bytes of UTF-8 JSON, then zeros
	IdCRC         = IdentityBytes - 16          // u64, CRC-32 (IEEE) of all before it
	IdReady       = IdCRC + 8                   // u64, ReadyWord, stored last

	IdentityBytes = 16 << 10
	MaxMetaBytes  = IdCRC - IdMeta
	ReadyWord     = 0x5259444145520001
)

// Writer region: offsets from IdWriterOff. Only the writer stores here.
const (
	WrEpoch     = 0           // u64, one life of a writer, from 1
	WrFinal     = WrEpoch + 8 // u64, 0 = open, position|1 = ended at position
	WrFlags     = WrFinal + 8 // u64, WriterFlag bits
	WrPID       = WrFlags + 8 // u64, a label
	WrStartedNs = WrPID + 8   // u64
	WrReserved0 = WrStartedNs + 8

	WrLimit = SeparationBytes // u64, nothing is written at or beyond it

	WrTail   = 2 * SeparationBytes // u64, at most capacity/4 behind
	WrNumber = WrTail + 8          // u64, frame number at WrTail, stored before it
	WrTailNs = WrNumber + 8        // u64, Unix time at which the tail was last seen to have moved

	WrDropped      = 3 * SeparationBytes // u64, frames dropped by policy
	WrBlocks       = WrDropped + 8       // u64, times the writer waited at the gate
	WrBlockedNs    = WrBlocks + 8        // u64, total wait
	WrBlockedSince = WrBlockedNs + 8     // u64, Unix time, 0 = not blocked
	WrBlockedBy    = WrBlockedSince + 8  // u64, slot + 1 of the slowest, 0 = no reader yet
	WrEvictions    = WrBlockedBy + 8     // u64
	WrRescues      = WrEvictions + 8     // u64, safety timeouts that found work

	WrMarks     = 8 * SeparationBytes // 64 x u64, first frame start in each 1/64
	WriterBytes = PageBytes
)

// DataOffset is where the data region starts by default. Rings of HugeFromBytes
// and more align it to HugeAlignBytes instead, so that huge pages can back it.
const (
	DataOffset     = IdentityBytes + WriterBytes
	HugeAlignBytes = 2 << 20
	HugeFromBytes  = 64 << 20
)

// Reader table: offsets from the start of the table file.
const (
	TableMagic = 0x0a1a737264616572 // "readrs\x1a\n" read as little-endian

	TbMagic         = 0
	TbMajor         = TbMagic + 8   // u16
	TbMinor         = TbMajor + 2   // u16
	TbSlots         = TbMinor + 2   // u32
	TbRingID        = TbSlots + 4   // 16 bytes
	TbEpoch         = TbRingID + 16 // u64
	TbReserved0     = TbEpoch + 8
	TbReadersParked = SeparationBytes     // u64, readers store 1, the writer swaps 0
	TbWriterParked  = 2 * SeparationBytes // u64, the writer stores wanted|1, readers swap 0
	TableHeadBytes  = 4 * SeparationBytes
	SlotBytes       = 4 * SeparationBytes
)

// Reader slot: offsets from TableHeadBytes + slot*SlotBytes.
const (
	SlState      = 0                // u64, SlotState | generation<<32; writer
	SlPID        = SlState + 8      // u32, a label; writer
	SlWake       = SlPID + 4        // u32, Wake; writer
	SlKeepMs     = SlWake + 4       // u32, grace of a named reader; writer
	SlEvictMs    = SlKeepMs + 4     // u32, 0 = may block for ever; writer
	SlStart      = SlEvictMs + 4    // u64, position at attach; writer
	SlAttachedNs = SlStart + 8      // u64, Unix time; writer
	SlReserved0  = SlAttachedNs + 8 // 24 bytes, zero
	SlName       = SlReserved0 + 24 // 64 bytes; writer

	SlCursor = 2 * SeparationBytes // u64; reader (writer, for stream readers)
	SlNext   = SlCursor + 8        // u64, next position to read; reader
	SlParked = 3 * SeparationBytes // u64, reader stores 1, the writer swaps 0
	SlFlags  = SlParked + 8        // u64, ReaderFlag bits; reader
)

// Base header of a frame: offsets from the frame's start.
const (
	FrCommit    = 0
	FrNumber    = FrCommit + 8
	FrDescribe  = FrNumber + 8
	BaseBytes   = FrDescribe + 8
	FrExtBytes  = BaseBytes      // u16, extension length from BaseBytes, multiple of 8
	FrExtFlags  = FrExtBytes + 2 // u8
	FrRole      = FrExtFlags + 1 // u8
	FrSequence  = FrRole + 1     // u32, per stream
	FrTimeNs    = FrSequence + 4 // u64, Unix time
	FrStream    = FrTimeNs + 8   // u64
	FrSource    = FrStream + 8   // u64, position of the source frame in its ring
	FrSourceID  = FrSource + 8   // u64, first eight bytes of the source ring's id
	FrShape     = FrSourceID + 8 // ndim x u64 with ExtShape, then ndim x i64 with ExtStrides
	ExtMinBytes = FrShape - BaseBytes
	ExtMaxBytes = ExtMinBytes + 2*8*MaxDims
	HeadMax     = BaseBytes + ExtMaxBytes // largest header before the payload
)

// Fields of the description word.
const (
	DescLenMask    = MaxPayloadBytes
	DescDTypeShift = 48
	DescNDimShift  = 56
	DescFlagShift  = 60
)

// Frame flags, four bits of the description word. Unknown flags are refused.
const (
	FlagExtended = 1 << 0 // an extension follows the base header
	FlagMore     = 1 << 1 // another frame of the same group follows
	flagsKnown   = FlagExtended | FlagMore
)

// Extension flags. Unknown flags are refused.
const (
	ExtShape   = 1 << 0 // shape is stored; otherwise it follows from the payload length
	ExtStrides = 1 << 1 // byte strides are stored; otherwise C order
	ExtStream  = 1 << 2 // stream id and sequence are meaningful
	ExtSource  = 1 << 3 // source position and id are meaningful
	ExtTime    = 1 << 4 // time is meaningful
	extKnown   = ExtShape | ExtStrides | ExtStream | ExtSource | ExtTime
)

// Kind is the low six bits of a commit word.
type Kind uint8

// Kinds of frames. A reader skips kinds from KindSkippable on that it does not
// know; a lower one that it does not know ends its reading with an error.
const (
	KindData      Kind = 1
	KindPadding   Kind = 2 // fills the space before a wrap; never delivered
	KindStreamEnd Kind = 3 // a stream ends in band; carries the stream id
	KindSkippable Kind = 32
	KindMask           = LineBytes - 1
)

// Role tells the frames of one group apart.
type Role uint8

// Roles of the seed protocol; RolePrimary is the zero value.
const (
	RolePrimary Role = 0
	RoleDelta   Role = 1
)

// Policy says what a writer does when the ring is full.
type Policy uint32

// Policies of a ring.
const (
	PolicyBlock      Policy = 0
	PolicyDropNewest Policy = 1
)

// WriterFlag bits of WrFlags.
const (
	WriterAsymmetric = 1 << 0 // the writer skips its fence; who parks runs membarrier
	WriterFreeRun    = 1 << 1 // the writer does not wait for a first reader
	WriterSawReader  = 1 << 2 // a first lossless reader came; the gate left the start
)

// ReaderFlag bits of SlFlags.
const ReaderAsymmetric = 1 << 0 // the reader skips its fence; a parking writer runs membarrier

// SlotState is the low byte of SlState.
type SlotState uint8

// States of a reader slot.
const (
	SlotFree    SlotState = 0
	SlotActive  SlotState = 1 // gates the writer
	SlotLost    SlotState = 2 // reader gone, still gates for its grace
	SlotEvicted SlotState = 3 // no longer gates, not re-let until the reader is gone
)
