package proto

// Every message: offsets from its start. Reserved bytes are zero.
const (
	MgType  = 0          // u16, MessageType
	MgBytes = MgType + 2 // u16, length of the whole message
	MgBody  = MgBytes + 2
)

// Notes and refusals.
const (
	NtCode     = MgBody         // u32, Code
	NtPosition = NtCode + 4     // u64
	RfSentence = NtPosition + 8 // SentenceMax bytes, zero-filled

	NoteBytes    = RfSentence
	RefusalBytes = 256
	SentenceMax  = RefusalBytes - NoteBytes
	MessageMax   = RefusalBytes
)

// Hello. Type, length, major and minor stay where they are, and the length stays
// what it is, in every version: a server can name both versions in its refusal.
const (
	HeMajor      = MgBody           // u16
	HeMinor      = HeMajor + 2      // u16
	HePosition   = HeMinor + 2      // u64
	HeRingID     = HePosition + 8   // 16 bytes
	HeRole       = HeRingID + 16    // u8, RoleOnRing
	HeWake       = HeRole + 1       // u8, Wake
	HeStart      = HeWake + 1       // u8, Start
	HeFlags      = HeStart + 1      // u8, Hello bits
	HeSlot       = HeFlags + 1      // u32
	HeGeneration = HeSlot + 4       // u32
	HePID        = HeGeneration + 4 // u32
	HeKeepMs     = HePID + 4        // u32
	HeEvictMs    = HeKeepMs + 4     // u32
	HeReserved0  = HeEvictMs + 4    // 8 bytes
	HeName       = HeReserved0 + 8  // MaxNameBytes bytes, zero-filled

	HelloBytes = HeName + MaxNameBytes
)

// Welcome.
const (
	WeMajor       = MgBody            // u16
	WeMinor       = WeMajor + 2       // u16
	WeStart       = WeMinor + 2       // u64
	WeRingID      = WeStart + 8       // 16 bytes
	WeEpoch       = WeRingID + 16     // u64
	WeSlot        = WeEpoch + 8       // u32
	WeGeneration  = WeSlot + 4        // u32
	WeFlags       = WeGeneration + 4  // u32, Welcome bits
	WeDescriptors = WeFlags + 4       // u32
	WeOldest      = WeDescriptors + 4 // u64
	WeTail        = WeOldest + 8      // u64
	WeTableBytes  = WeTail + 8        // u64
	WeReserved0   = WeTableBytes + 8  // 48 bytes

	WelcomeBytes = WeReserved0 + 48
)
