"""How columns of a person's data are usually named, which tells a header from a first row of data.

The names are those of Dynamics 365 (https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/contact),
HubSpot, Google Contacts and Workspace, Salesforce and Mailchimp, and those in the languages of Customer Insights.
"""

# ruff: noqa: RUF001 - letters of other scripts look like Latin ones

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

_ADDRESS = re.compile(
    r"[^\s@,;<>()]@(?!odata\.|microsoft\.dynamics\.)[^\s@.]+(?:\.[^\s@.]+)*\.[^\W\d_]{2,}", re.IGNORECASE
)
"""An e-mail address within a text; `name@OData.Community...` is how Dataverse names columns."""


def plain_name(name: str) -> str:
    """Return a name as it is compared: its letters and digits, without accents and case, in any script."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", name.casefold())))


def _names(text: str) -> tuple[str, ...]:
    """Return the plain names in a text of names and commas, each once, in their order."""
    return tuple(dict.fromkeys(map(plain_name, re.split(r"[,\n]", text.strip()))))


MEMBER_NAMES = {
    "email": _names("""
        Email, Email Address, Primary Email, EMailAddress1, Contact Email, Customer Email, Person Email, Personal Email
        E-mail 1 - Value, Email 1, Work Email, Business Email, Company Email, Home Email, Other Email
        Email Address [Required], Email ID, User Email, Subscriber Email, Mail, Mail Address, EMailAddress2
        E-Mail-Adresse, Mailadresse, E-Mail geschäftlich, E-Mail privat
        Adresse e-mail, Adresse électronique, Adresse mail, Adresse de messagerie, Courriel, Adresse courriel, Mél
        Correo electrónico, Correo, Dirección de correo electrónico, Dirección de correo, Dirección de email
        Indirizzo e-mail, Indirizzo di posta elettronica, Posta elettronica, Indirizzo mail
        Endereço de e-mail, Endereço de correio eletrónico, Correio eletrônico, Correio electrónico, E-mail principal
        E-mailadres, Mailadres
        Adres e-mail, Adres email, Adres poczty elektronicznej, Poczta elektroniczna
        E-mailová adresa, Emailová adresa, Elektronická pošta, Elektronická adresa
        E-mailadresse, Mailadresse
        E-postadress, E-post, Epostadress, Mejladress, Mejl
        E-postadresse, Epostadresse
        Sähköposti, Sähköpostiosoite
        E-mail cím, Email cím, Elektronikus levélcím, Drótposta
        Adresă de e-mail, Adresa de email, Adresă e-mail, Poștă electronică
        Имейл, Имейл адрес, Електронна поща, Е-поща, Имейл адреса
        E-posta, E-posta adresi, Eposta, E-posta adresiniz, Elektronik posta
        Электронная почта, Адрес электронной почты, Эл. почта, E-mail адрес, Емейл, Имэйл, Почта
        Електронна пошта, Адреса електронної пошти, Ел. пошта, Електронна адреса
        Ηλεκτρονικό ταχυδρομείο, Διεύθυνση ηλεκτρονικού ταχυδρομείου, Διεύθυνση email, Διεύθυνση e-mail, Ηλ. ταχυδρομείο
        דואר אלקטרוני, כתובת דואר אלקטרוני, דואל, דוא״ל, כתובת דוא"ל, אימייל, כתובת אימייל, מייל
        البريد الإلكتروني, عنوان البريد الإلكتروني, بريد إلكتروني, الإيميل, ايميل, إيميل, البريد الالكتروني
        メールアドレス, メール, Eメール, 電子メール, 電子メールアドレス, Eメールアドレス, Ｅ－ｍａｉｌ
        이메일, 이메일 주소, 전자 메일, 전자 메일 주소, 메일, 메일 주소, 전자우편
        电子邮件, 电子邮箱, 邮箱, 电子邮件地址, 邮件地址, 邮箱地址, 邮件, 电邮, 电邮地址
        電子郵件, 電子信箱, 電子郵件地址, 信箱, 郵件地址, 電郵, 電郵地址
        อีเมล, อีเมล์, ที่อยู่อีเมล, จดหมายอิเล็กทรอนิกส์
        Alamat email, Surel, Alamat surel, Alamat e-mail, Pos-el
        Địa chỉ email, Thư điện tử, Địa chỉ thư điện tử, Hộp thư
        E-mel, Alamat e-mel, Emel
        E-adresa, Adresa e-pošte, E-pošta, Elektronička pošta, E-mail adresa, Adresa e-mail, E-mail adrese
        Имејл, Имејл адреса, Е-пошта, Адреса е-поште, Електронска пошта, Imejl, Imejl adresa, Elektronska pošta
        E-poštni naslov, Elektronski naslov
        El. paštas, El. pašto adresas, Elektroninis paštas, Elektroninio pašto adresas
        E-pasts, E-pasta adrese, Elektroniskais pasts
        E-posti aadress, Meil, Meiliaadress, E-kiri
        Correu electrònic, Adreça electrònica, Adreça de correu electrònic, Correu
        Posta elektronikoa, Helbide elektronikoa, E-posta helbidea
        Correo electrónico principal, Enderezo electrónico, Enderezo de correo electrónico
        ईमेल, ईमेल पता, ई-मेल, ई-मेल पता
        Электрондық пошта, Электрондық пошта мекенжайы, Эл. пошта
    """),
    "firstName": _names("""
        First Name, Given Name, Forename, F Name, Contact First Name, Customer First Name, Person First Name
        First Name [Required], First, Christian Name, First Names
        Vorname, Vornamen, Rufname
        Prénom, Prénoms, Prenom usuel
        Nombre, Nombres, Primer nombre, Nombre de pila, Nombre propio
        Nome, Nome di battesimo, Primo nome
        Primeiro nome, Nome próprio, Nome do contato
        Voornaam, Roepnaam, Voornamen
        Imię, Imiona
        Jméno, Křestní jméno, Jméno křestní
        Meno, Krstné meno
        Fornavn, Förnamn, Tilltalsnamn
        Etunimi, Etunimet, Kutsumanimi
        Keresztnév, Utónév
        Prenume, Prenumele
        Име, Собствено име, Първо име
        Ad, Adı, İsim, İlk ad, Birinci ad, Ön ad
        Имя, Личное имя
        Ім'я, Ім’я, Імя, Власне ім'я
        Όνομα, Μικρό όνομα, Μικρό
        שם פרטי
        الاسم الأول, الاسم الاول, الاسم الشخصي
        名, 名前（名）, お名前（名）, 名（漢字）, ファーストネーム
        이름, 이름(명)
        名字
        ชื่อ, ชื่อจริง, ชื่อต้น
        Nama depan, Nama pertama, Nama diberi
        Tên, Tên gọi, Tên riêng
        Ime, Vlastito ime, Osebno ime, Лично име
        Vardas, Vārds, Eesnimi
        Nom de pila, Nom propi, Izena, Nome de pía
        पहला नाम, प्रथम नाम
        Аты, Есімі
    """),
    "lastName": _names("""
        Last Name, Surname, Family Name, L Name, Contact Last Name, Customer Last Name, Person Last Name
        Last Name [Required], Last, Last Names, Second Name
        Nachname, Familienname, Zuname
        Nom, Nom de famille, Nom de naissance, Nom usuel
        Apellido, Apellidos, Primer apellido, Apellido paterno
        Cognome
        Sobrenome, Apelido, Último nome, Nome de família, Apelidos
        Achternaam, Familienaam, Geslachtsnaam
        Nazwisko
        Příjmení, Priezvisko
        Efternavn, Etternavn, Efternamn, Slektsnavn
        Sukunimi
        Vezetéknév, Családnév
        Nume de familie, Numele de familie, Nume
        Фамилия, Фамилно име
        Soyad, Soyadı, Soy isim, Soyisim
        Прізвище
        Επώνυμο, Επίθετο
        שם משפחה
        اسم العائلة, الاسم الأخير, الاسم الاخير, اللقب, الكنية, اسم عائلي, الاسم العائلي
        姓, 苗字, お名前（姓）, 姓（漢字）, 名前（姓）, ラストネーム
        성, 성씨
        姓氏
        นามสกุล, ชื่อสกุล
        Nama belakang, Nama keluarga, Nama akhir
        Họ, Họ và tên đệm, Họ và chữ đệm
        Prezime, Презиме, Priimek
        Pavardė, Uzvārds, Perekonnanimi, Perenimi
        Cognom, Cognoms, Primer cognom, Abizena, Abizenak, Deitura
        उपनाम, कुलनाम, अंतिम नाम, सरनेम
        Тегі
    """),
    "phone": _names("""
        Telephone, Phone, Phone Number, Primary Phone, Mobile Phone, Telephone1, Phone 1 - Value, Mobile, Mobile Number
        Mobile Phone Number, Telephone Number, Cell Phone, Cell Phone Number, Cellphone, Contact Phone, Contact Number
        Business Phone, Work Phone, Home Phone, Main Phone, Other Phone, Phone 1, Address1 Telephone1, Telephone2
        Person Mobile Phone, Person Home Phone, WhatsApp, WhatsApp Number, Recovery Phone [MUST BE IN THE E.164 FORMAT]
        Telefon, Telefonnummer, Tel, Tel. Nr., Rufnummer, Handy, Handynummer, Mobiltelefon, Mobilnummer, Mobil
        Mobilfunknummer, Telefon geschäftlich, Telefon privat
        Téléphone, Numéro de téléphone, Téléphone portable, Téléphone mobile, Portable, N° de téléphone, Tél. portable
        Teléfono, Número de teléfono, Teléfono móvil, Móvil, Celular, Número de celular, Teléfono celular
        Telefono, Numero di telefono, Cellulare, Telefono cellulare, Numero di cellulare
        Telefone, Número de telefone, Telemóvel, Telefone celular, Número de telemóvel
        Telefoon, Telefoonnummer, Mobiele telefoon, Mobiel nummer, Mobiel
        Numer telefonu, Telefon komórkowy, Komórka, Nr telefonu
        Telefonní číslo, Telefónne číslo, Mobilní telefon, Mobilný telefón, Telefón
        Telefonnummer, Mobilnummer, Mobiltelefonnummer, Mobilnr
        Puhelin, Puhelinnumero, Matkapuhelin, Kännykkä, Matkapuhelinnumero
        Telefonszám, Mobiltelefonszám, Mobilszám
        Număr de telefon, Telefon mobil, Nr. telefon
        Телефон, Телефонен номер, Мобилен телефон, Номер телефона, Мобильный телефон, Сотовый телефон
        Номер телефону, Мобільний телефон
        Telefon numarası, Cep telefonu, Cep, Telefon no
        Τηλέφωνο, Αριθμός τηλεφώνου, Κινητό, Κινητό τηλέφωνο
        טלפון, מספר טלפון, טלפון נייד, נייד
        الهاتف, رقم الهاتف, هاتف, الجوال, رقم الجوال, الهاتف المحمول, موبايل, الهاتف الجوال
        電話, 電話番号, 携帯電話, 携帯電話番号, 携帯, 携帯番号, お電話番号, ＴＥＬ
        전화, 전화번호, 휴대폰, 휴대전화, 휴대폰 번호, 핸드폰
        电话, 电话号码, 手机, 手机号, 手机号码, 移动电话, 联系电话
        電話號碼, 手機, 手機號碼, 行動電話, 聯絡電話
        โทรศัพท์, เบอร์โทรศัพท์, หมายเลขโทรศัพท์, เบอร์โทร, มือถือ, เบอร์มือถือ, โทรศัพท์มือถือ
        Telepon, Nomor telepon, Nomor HP, No. HP, No. telepon, Telepon seluler, Nomor ponsel, Ponsel, Handphone
        Điện thoại, Số điện thoại, Di động, Số di động, Điện thoại di động
        Nombor telefon, No. telefon, Telefon bimbit
        Broj telefona, Broj mobitela, Mobitel, Телефон, Број телефона, Mobilni telefon, Telefonska številka
        Telefonas, Telefono numeris, Mobilusis telefonas, Tālrunis, Tālruņa numurs, Mobilais tālrunis, Telefoninumber
        Telèfon, Número de telèfon, Telèfon mòbil, Mòbil, Telefono zenbakia, Sakelakoa, Mugikorra, Teléfono móbil
        फ़ोन, फोन, फ़ोन नंबर, फोन नंबर, मोबाइल, मोबाइल नंबर, दूरभाष
        Телефон нөмірі, Ұялы телефон
    """),
}
"""By member of a contact, the plain names of the columns that usually fill it, the likeliest first."""

_OTHER_NAMES = _names("""
    CustomerId, PreviousCustomerId, ContactId, UserId, Record ID, Contact ID, Account ID, Customer Number, Member ID
    Name, Full Name, Display Name, Middle Name, Salutation, Title, Nickname, Name Prefix, Name Suffix, Contact Name
    Birthday, Birthdate, Date of Birth, Gender, Language, Preferred Language, Additional Name, Labels, Group Membership
    Address, Street Address, Address Line, Address Line 1, Mailing Street, Mailing City, Mailing Country
    City, Country, Region, Postcode, Postal Code, Zip, Zip Code, Address1 City, Address1 Line1, Address1 PostalCode
    Company, Company Name, Organization, Organization Name, Account Name, Job Title, Lead Source, Lifecycle Stage
    Consent, Opt-in, Email Opt Out, Create Date, Lead Status, Member Rating, Optin Time, Confirm Time, Owner ID
    Anrede, Geburtsdatum, Geburtstag, Kundennummer, Straße, Postleitzahl, PLZ, Wohnort, Firma, Geschlecht, Sprache
    Civilité, Date de naissance, Code postal, Entreprise, Société, Nom complet, Adresse
    Fecha de nacimiento, Código postal, Ciudad, Dirección, Empresa, Nombre completo, Nombre y apellidos, País
    Data di nascita, Indirizzo, Città, Azienda, Nome e cognome, Nome completo, Cognome e nome, CAP
    Data de nascimento, Endereço, Cidade, CEP, Geboortedatum, Postcode, Woonplaats, Bedrijf, Volledige naam, Naam
    Data urodzenia, Kod pocztowy, Miasto, Imię i nazwisko, Datum narození, Jméno a příjmení, Meno a priezvisko
    Fødselsdato, Postnummer, Navn, Födelsedatum, Namn, Syntymäaika, Postinumero, Koko nimi, Születési dátum, Teljes név
    Data nașterii, Nume complet, Doğum tarihi, Ad Soyad, Adı Soyadı, Дата рождения, ФИО, Полное имя, Дата народження
    ПІБ, Дата на раждане, Ημερομηνία γέννησης, Ονοματεπώνυμο, תאריך לידה, שם מלא, الاسم الكامل, الاسم, تاريخ الميلاد
    氏名, 名前, お名前, 生年月日, 郵便番号, 住所, 会社名, 성명, 생년월일, 주소, 회사, 姓名, 出生日期, 地址, 公司, 城市
    ชื่อ-นามสกุล, วันเกิด, Nama lengkap, Nama, Tanggal lahir, Alamat, Nama penuh, Họ và tên, Họ tên, Ngày sinh
    Ime i prezime, Datum rođenja, Ime in priimek, Vardas pavardė, Vārds uzvārds, Sünniaeg, Data de naixement, Adreça
    Jaiotze data, Data de nacemento, नाम, पूरा नाम, जन्म तिथि, Аты-жөні, Nimi, Név, Туған күні
""")
_PEOPLE_AND_PLACES_TOO = _names("""
    Ad, Cap, Cep, E-mel, First, Handy, Họ, Ime, Last, Meno, Mejl, Meil, Mél, Mobile, Mobil, Nama, Név, Nimi, Nom, Nome
    País, Tel, Tên, Title, 名, 姓, 성, Аты, Тегі, नाम
""")
"""What people and places may be called as well: such a name alone does not tell a header."""
_USUAL = frozenset(_OTHER_NAMES).union(*MEMBER_NAMES.values()) - frozenset(_PEOPLE_AND_PLACES_TOO)


def is_usual(name: str) -> bool:
    """Return whether columns are usually named so, and people are not."""
    return plain_name(name) in _USUAL


def holds_address(row: Sequence[str]) -> bool:
    """Return whether a cell of a row holds an e-mail address, as somebody's data do and column names do not."""
    return any(map(_ADDRESS.search, row))


def is_header(row: Sequence[str], known: Collection[str]) -> bool:
    """Return whether a first row holds column names rather than somebody's data.

    One cell has to be a usual name or, in whatever case, one of those `known`; none may hold an e-mail address.
    """
    expected = {name.strip().casefold() for name in known} - {""}
    return not holds_address(row) and any(is_usual(cell) or cell.strip().casefold() in expected for cell in row)
