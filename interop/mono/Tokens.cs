// Session tokens by the class library of Mono, behind the protocol of Lines.cs.
//
// Compile: mcs -r:System.Runtime.Serialization -r:System.IdentityModel Tokens.cs Lines.cs
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IdentityModel.Tokens;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Runtime.Serialization;
using System.Runtime.Serialization.Formatters.Binary;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Xml;

static class Tokens
{
    static readonly UTF8Encoding Utf8 = Lines.Utf8;

    static void Main() { Lines.Answer(Answer); }

    static byte[][] Answer(string command, byte[][] given)
    {
        Func<int, string> text = at => Utf8.GetString(given[at]);
        switch (command)
        {
            case "xml-read": return One(Read(given[0], text(1)));
            case "xml-write": return Write(text(0), text(1));
            case "envelope-write": return One(Serialize(new Token(given[0])));
            case "envelope-read": return One(((Token)Deserialize(given[0])).Payload);
            case "bootstrap-text": return One(Serialize(new BootstrapContext(text(0))));
            case "bootstrap-bytes": return One(Serialize(new BootstrapContext(given[0])));
            case "bootstrap-read":
                var context = (BootstrapContext)Deserialize(given[0]);
                return One(context.TokenBytes != null ? context.TokenBytes : Utf8.GetBytes(context.Token));
            case "deflate": return One(Deflate(given[0]));
            case "inflate": return One(Inflate(given[0]));
            case "sign": return One(Sign(text(0), text(1), given[2]));
            case "verify": return One(Verify(text(0), text(1), given[2]));
            case "encrypt": return One(Encrypt(text(0), text(1), given[2]));
            case "decrypt": return One(Decrypt(text(0), text(1), given[2]));
            case "machine-key-protect": return One(Protect(given[0], given[1], text(2), given[3]));
            case "machine-key-unprotect": return One(Unprotect(given[0], given[1], text(2), given[3]));
            case "claims": return One(Utf8.GetBytes(Claims(text(0))));
            default: throw new ArgumentException("no such command: " + command);
        }
    }

    // Binary XML.

    static IXmlDictionary Dictionary(string strings)
    {
        if (strings.Length == 0) return null;
        var dictionary = new XmlDictionary();
        foreach (string word in strings.Split('\n')) dictionary.Add(word);
        return dictionary;
    }

    static byte[] Read(byte[] binary, string strings)
    {
        var stream = new MemoryStream();
        using (var reader = XmlDictionaryReader.CreateBinaryReader(binary, 0, binary.Length, Dictionary(strings), XmlDictionaryReaderQuotas.Max))
        using (var writer = XmlDictionaryWriter.CreateTextWriter(stream, Utf8, false))
        {
            while (!reader.EOF) writer.WriteNode(reader, false);
        }
        return stream.ToArray();
    }

    // Calls of the writer, one a line, their arguments after tabs. What a test makes has neither tabs nor line ends.
    static byte[][] Write(string calls, string strings)
    {
        var stream = new MemoryStream();
        var dictionary = Dictionary(strings);
        var session = new Session();
        using (var writer = XmlDictionaryWriter.CreateBinaryWriter(stream, dictionary, session, false))
        {
            foreach (string call in calls.Split('\n'))
            {
                string[] a = call.Split('\t');
                Func<int, XmlDictionaryString> word = at => Word(dictionary, a[at]);
                var invariant = CultureInfo.InvariantCulture;
                switch (a[0])
                {
                    case "element": writer.WriteStartElement(a[1], a[2], a[3]); break;
                    case "dictionary-element": writer.WriteStartElement(a[1], word(2), word(3)); break;
                    case "attribute": writer.WriteAttributeString(a[1], a[2], a[3], a[4]); break;
                    case "declare": writer.WriteXmlnsAttribute(a[1], a[2]); break;
                    case "text": writer.WriteString(a[1]); break;
                    case "dictionary-text": writer.WriteString(word(1)); break;
                    case "bool": writer.WriteValue(a[1] == "true"); break;
                    case "int64": writer.WriteValue(long.Parse(a[1], invariant)); break;
                    case "uint64": writer.WriteValue((object)ulong.Parse(a[1], invariant)); break;
                    case "double": writer.WriteValue(BitConverter.Int64BitsToDouble(long.Parse(a[1], invariant))); break;
                    case "decimal": writer.WriteValue(decimal.Parse(a[1], invariant)); break;
                    case "date": writer.WriteValue(new DateTime(long.Parse(a[1], invariant), DateTimeKind.Utc)); break;
                    case "duration": writer.WriteValue(new TimeSpan(long.Parse(a[1], invariant))); break;
                    case "guid": writer.WriteValue(new Guid(a[1])); break;
                    case "unique-id": writer.WriteValue(new UniqueId(a[1])); break;
                    case "bytes": byte[] bytes = Lines.FromWord(a[1]); writer.WriteBase64(bytes, 0, bytes.Length); break;
                    case "comment": writer.WriteComment(a[1]); break;
                    case "end": writer.WriteEndElement(); break;
                    default: throw new ArgumentException("no such call: " + a[0]);
                }
            }
        }
        return new[] { stream.ToArray(), Utf8.GetBytes(string.Join("\n", session.Added)) };
    }

    static XmlDictionaryString Word(IXmlDictionary dictionary, string text)
    {
        XmlDictionaryString known;
        if (dictionary != null && dictionary.TryLookup(text, out known)) return known;
        return new XmlDictionary().Add(text);
    }

    sealed class Session : XmlBinaryWriterSession
    {
        public readonly List<string> Added = new List<string>();

        public override bool TryAdd(XmlDictionaryString value, out int key)
        {
            bool added = base.TryAdd(value, out key);
            if (added) Added.Add(value.Value);
            return added;
        }
    }

    // Objects. Mono has no session token; this one says that it is WIF's.

    [Serializable]
    sealed class Token : ISerializable
    {
        public readonly byte[] Payload;

        public Token(byte[] payload) { Payload = payload; }

        Token(SerializationInfo info, StreamingContext context)
        {
            Payload = (byte[])info.GetValue("SessionToken", typeof(byte[]));
        }

        public void GetObjectData(SerializationInfo info, StreamingContext context)
        {
            info.AddValue("SessionToken", Payload);
        }
    }

    sealed class Binder : SerializationBinder
    {
        const string Assembly = "System.IdentityModel, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089";
        const string Name = "System.IdentityModel.Tokens.SessionSecurityToken";

        public override void BindToName(Type type, out string assembly, out string name)
        {
            assembly = type == typeof(Token) ? Assembly : null;
            name = type == typeof(Token) ? Name : null;
        }

        public override Type BindToType(string assembly, string name)
        {
            return name == Name ? typeof(Token) : null;
        }
    }

    static byte[] Serialize(object value)
    {
        var stream = new MemoryStream();
        new BinaryFormatter { Binder = new Binder() }.Serialize(stream, value);
        return stream.ToArray();
    }

    static object Deserialize(byte[] bytes)
    {
        return new BinaryFormatter { Binder = new Binder() }.Deserialize(new MemoryStream(bytes));
    }

    // Transforms, from the primitives of the class library.

    static byte[] Deflate(byte[] data)
    {
        var stream = new MemoryStream();
        using (var deflate = new DeflateStream(stream, CompressionMode.Compress, true)) deflate.Write(data, 0, data.Length);
        return stream.ToArray();
    }

    static byte[] Inflate(byte[] data)
    {
        var stream = new MemoryStream();
        using (var inflate = new DeflateStream(new MemoryStream(data), CompressionMode.Decompress)) inflate.CopyTo(stream);
        return stream.ToArray();
    }

    static RSACryptoServiceProvider Key(string xml)
    {
        var key = new RSACryptoServiceProvider();
        key.FromXmlString(xml);
        return key;
    }

    static HashAlgorithm Hash(string name)
    {
        return name == "SHA1" ? (HashAlgorithm)SHA1.Create() : SHA256.Create();
    }

    static byte[] Sign(string xml, string hash, byte[] data)
    {
        byte[] signature = Key(xml).SignHash(Hash(hash).ComputeHash(data), CryptoConfig.MapNameToOID(hash));
        return Join(BitConverter.GetBytes(signature.Length), signature, data);
    }

    static byte[] Verify(string xml, string hash, byte[] frame)
    {
        int length = BitConverter.ToInt32(frame, 0);
        byte[] signature = Part(frame, 4, length), data = Part(frame, 4 + length, frame.Length - 4 - length);
        if (!Key(xml).VerifyHash(Hash(hash).ComputeHash(data), CryptoConfig.MapNameToOID(hash), signature))
            throw new CryptographicException("the signature is wrong");
        return data;
    }

    static byte[] KeyName(RSA key, string hash)
    {
        return Hash(hash).ComputeHash(Utf8.GetBytes(key.ToXmlString(false)));
    }

    static byte[] Encrypt(string xml, string hash, byte[] data)
    {
        var key = Key(xml);
        using (var aes = new AesManaged { KeySize = 256 })
        {
            byte[] wrapped = key.Encrypt(Join(aes.Key, aes.IV), true);
            byte[] encrypted = aes.CreateEncryptor().TransformFinalBlock(data, 0, data.Length);
            return Join(KeyName(key, hash), BitConverter.GetBytes(wrapped.Length), wrapped, BitConverter.GetBytes(encrypted.Length), encrypted);
        }
    }

    static byte[] Decrypt(string xml, string hash, byte[] frame)
    {
        var key = Key(xml);
        byte[] name = KeyName(key, hash);
        if (!Part(frame, 0, name.Length).SequenceEqual(name)) throw new CryptographicException("another key");
        int at = name.Length, length = BitConverter.ToInt32(frame, at);
        byte[] secret = key.Decrypt(Part(frame, at + 4, length), true);
        at += 4 + length;
        length = BitConverter.ToInt32(frame, at);
        using (var aes = new AesManaged { KeySize = 256 })
        using (var decryptor = aes.CreateDecryptor(Part(secret, 0, 32), Part(secret, 32, 16)))
            return decryptor.TransformFinalBlock(frame, at + 4, length);
    }

    // NIST SP 800-108 in counter mode: the derivation of ASP.NET 4.5.
    static byte[] Derive(byte[] master, string purpose)
    {
        var context = new MemoryStream();
        using (var writer = new BinaryWriter(context, Utf8, true)) writer.Write(purpose);
        byte[] label = Utf8.GetBytes("User.MachineKey.Protect");
        byte[] derived = new byte[0];
        for (int counter = 1; derived.Length < master.Length; counter++)
        {
            byte[] block = Join(BigEndian(counter), label, new byte[1], context.ToArray(), BigEndian(master.Length * 8));
            using (var mac = new HMACSHA512(master)) derived = Join(derived, mac.ComputeHash(block));
        }
        return Part(derived, 0, master.Length);
    }

    static byte[] Protect(byte[] validation, byte[] decryption, string purpose, byte[] data)
    {
        using (var aes = new AesManaged { Key = Derive(decryption, purpose) })
        using (var mac = new HMACSHA256(Derive(validation, purpose)))
        {
            byte[] sealed_ = Join(aes.IV, aes.CreateEncryptor().TransformFinalBlock(data, 0, data.Length));
            return Join(sealed_, mac.ComputeHash(sealed_));
        }
    }

    static byte[] Unprotect(byte[] validation, byte[] decryption, string purpose, byte[] data)
    {
        using (var aes = new AesManaged { Key = Derive(decryption, purpose), IV = Part(data, 0, 16) })
        using (var mac = new HMACSHA256(Derive(validation, purpose)))
        {
            int end = data.Length - 32;
            if (!mac.ComputeHash(data, 0, end).SequenceEqual(Part(data, end, 32)))
                throw new CryptographicException("the MAC is wrong");
            return aes.CreateDecryptor().TransformFinalBlock(data, 16, end - 16);
        }
    }

    // Claims: one a line (type, value, issuer, original issuer), then what an identity says about them.

    static string Claims(string lines)
    {
        var identity = new ClaimsIdentity("Federation");
        string[] all = lines.Split('\n');
        foreach (string line in all)
        {
            string[] a = line.Split('\t');
            identity.AddClaim(new Claim(a[0], a[1], null, a[2].Length == 0 ? null : a[2], a[3].Length == 0 ? null : a[3]));
        }
        var principal = new ClaimsPrincipal(identity);
        var said = new StringBuilder();
        said.Append("name\t" + identity.Name + "\t" + identity.IsAuthenticated + "\n");
        foreach (Claim claim in identity.Claims)
        {
            said.Append(string.Join("\t", claim.Type, claim.Value, claim.ValueType, claim.Issuer, claim.OriginalIssuer));
            said.Append("\t" + principal.IsInRole(claim.Value) + "\t" + identity.FindAll(claim.Type.ToUpperInvariant()).Count());
            said.Append("\t" + identity.HasClaim(claim.Type, claim.Value.ToUpperInvariant()) + "\n");
        }
        return said.ToString();
    }

    // Bytes.

    static byte[][] One(byte[] bytes) { return Lines.One(bytes); }

    static byte[] Part(byte[] bytes, int start, int length)
    {
        var part = new byte[length];
        Array.Copy(bytes, start, part, 0, length);
        return part;
    }

    static byte[] Join(params byte[][] parts) { return parts.SelectMany(part => part).ToArray(); }

    static byte[] BigEndian(int number)
    {
        return new[] { (byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number };
    }
}
