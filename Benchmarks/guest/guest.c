/* The guest of the interpreter's benchmark: what kernel code does all day, on memory of its own. No calls leave it. */
typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;

#define DATA ((u8 *)0x200000)
#define noinline __attribute__((noinline))

static noinline u64 length(const u8 *s)
{
	const u8 *p = s;

	while (*p)
		p++;
	return p - s;
}

static noinline int compare(const u8 *a, const u8 *b, u64 n)
{
	for (; n; n--, a++, b++)
		if (*a != *b)
			return *a - *b;
	return 0;
}

static noinline u32 mix(u32 a, u32 b, u32 c)
{
	a -= c; a ^= c << 4 | c >> 28; c += b;
	b -= a; b ^= a << 6 | a >> 26; a += c;
	c -= b; c ^= b << 8 | b >> 24; b += a;
	return a + (b ^ c);
}

struct node { struct node *next; u64 key; u32 flags; };

static noinline struct node *find(struct node *n, u64 key)
{
	while (n && n->key != key)
		n = n->next;
	return n;
}

static noinline u64 first_bit(const u64 *map, u64 words)
{
	for (u64 i = 0; i < words; i++)
		if (map[i]) {
			u64 w = map[i], bit = 0;

			while (!(w & 1)) {
				w >>= 1;
				bit++;
			}
			return i * 64 + bit;
		}
	return words * 64;
}

static noinline void insert(u32 *heap, u32 size, u32 value)
{
	u32 i = size;

	while (i && heap[(i - 1) / 2] > value) {
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = value;
}

u64 _start(u64 rounds)
{
	u8 *text = DATA;
	struct node *nodes = (struct node *)(DATA + 0x1000);
	u64 *map = (u64 *)(DATA + 0x4000);
	u32 *heap = (u32 *)(DATA + 0x5000);
	u64 sum = 0;

	for (int i = 0; i < 63; i++)
		text[i] = text[i + 256] = 'a' + i % 26;
	for (int i = 0; i < 32; i++) {
		nodes[i].next = i < 31 ? &nodes[i + 1] : 0;
		nodes[i].key = i * 7;
	}
	map[12] = 1ul << 17;
	for (u64 r = 0; r < rounds; r++) {
		sum += length(text);
		sum += compare(text, text + 256, 40);
		sum += mix(sum, r, 0x9e3779b9);
		sum += find(nodes, r % 32 * 7)->flags;
		sum += first_bit(map, 16);
		insert(heap, r & 1023, mix(r, sum, r));
	}
	return sum;
}

/* Calls `count` functions of a table, all over the text. */
u64 drive(u64 (*const *table)(u64), u64 count)
{
	u64 sum = 0;

	for (u64 i = 0; i < count; i++)
		sum += table[i](sum + i);
	return sum;
}

/* Copied all over the text: no calls, no data but the stack. */
u64 leaf(u64 x)
{
	u64 words[8];

	for (int i = 0; i < 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		words[i] = x;
	}
	for (int i = 0; i < 8; i++)
		x += words[(x + i) & 7] * 3;
	return x;
}

void leaf_end(void) {}
