// A program behind a line protocol: one command a line on standard input, one answer a line on standard output.
//
// A word is a command or "x" and the hexadecimal digits of bytes. The answer is "ok" and words, or "error" and why.
using System;
using System.IO;
using System.Linq;
using System.Text;

static class Lines
{
    public static readonly UTF8Encoding Utf8 = new UTF8Encoding(false, true);

    public static void Answer(Func<string, byte[][], byte[][]> answer)
    {
        Console.SetOut(new StreamWriter(Console.OpenStandardOutput(), Utf8) { AutoFlush = true });
        string line;
        while ((line = Console.ReadLine()) != null)
        {
            try
            {
                string[] words = line.Split(' ');
                byte[][] given = words.Skip(1).Select(FromWord).ToArray();
                Console.WriteLine("ok " + string.Join(" ", answer(words[0], given).Select(ToWord)));
            }
            catch (Exception error)
            {
                Console.WriteLine("error " + error.GetType().Name + ": " + error.Message.Replace('\n', ' ').Replace('\r', ' '));
            }
        }
    }

    public static byte[][] One(byte[] bytes) { return new[] { bytes }; }

    public static byte[] FromWord(string word)
    {
        var bytes = new byte[(word.Length - 1) / 2];
        for (int at = 0; at < bytes.Length; at++) bytes[at] = Convert.ToByte(word.Substring(1 + 2 * at, 2), 16);
        return bytes;
    }

    public static string ToWord(byte[] bytes)
    {
        var word = new StringBuilder("x", 1 + 2 * bytes.Length);
        foreach (byte b in bytes) word.Append(b.ToString("x2"));
        return word.ToString();
    }
}
